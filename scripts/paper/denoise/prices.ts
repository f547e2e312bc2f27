/** Policies trained with other prices of compute λ, on the same layers. */
import { join } from 'node:path';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import { readImageFolder } from '../../../src/data/images.ts';
import { denoiseConditions } from '../../../src/tasks/denoise/test-data.ts';
import { psnr } from '../../../src/evaluation/metrics.ts';
import { exitAt, trace, type Traced } from '../../../src/evaluation/trace.ts';
import { curves } from '../../plots/curves.ts';
import type { DenoiseConfig } from '../../../src/tasks/denoise/config.ts';
import { configOf, readWeights } from '../../../src/training/from-bundle.ts';
import { denoise } from '../../../src/tasks/learning.ts';
import { train } from '../../../src/training/train.ts';
import { withTrainedModels } from '../training-jobs.ts';
import { decibels } from '../numbers.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { GRAY, SEED, SIGMAS, withModels, type Setting } from './setting.ts';
import { costs } from './tables.ts';

export const prices: Part = {
  name: 'prices',
  about: 'Quality over time of policies trained with other prices of compute.',
  needs: 'learn',
  run: (options) => withModels(options, 1, [GRAY], (setting) => run(setting, options)),
};

/** Prices λ of the full depth, dB. */
const PRICES = [0, 0.4, 1, 2, 4, 8];
/** Only every EVERY-th test image: the rules are compared with each other, not with published values. */
const EVERY = 8;

async function run(
  setting: Setting,
  { learn, modelsDir, quick, onProgress }: ReproduceOptions,
): Promise<Section[]> {
  if (learn === undefined)
    throw new Error('prices needs a folder of clean training images: --learn DIR.');
  const manifest = setting.manifests[0]!;
  const usual = configOf(denoise, manifest);
  const { images: trainingImages } = await readImageFolder(learn, 1);
  const from = await readWeights(join(modelsDir, manifest.name));
  const images = setting.images.filter((_, i) => i % EVERY === 0);
  const lambdas = quick ? PRICES.slice(-2) : PRICES;
  const nameOf = (lambda: number): string => `price-${lambda}`;
  const pricedAt = (lambda: number): DenoiseConfig => ({
    ...usual,
    stageOne: { ...usual.stageOne, steps: 0 },
    stageTwo: { ...usual.stageTwo, lambda, steps: quick ? 2 : 300 },
  });
  return withTrainedModels(
    lambdas.map((lambda) => ({
      name: nameOf(lambda),
      task: 'denoise' as const,
      train: (options) => train(denoise, pricedAt(lambda), trainingImages, options),
      from,
    })),
    (what, share) => onProgress(what, 0.5 * share),
    async (engine) => {
      const traced: Traced[] = [];
      for (const { label, cases } of denoiseConditions(images, manifest, SIGMAS, SEED)) {
        onProgress(
          `σ ${label.sigma}`,
          0.5 + (0.3 * traced.length) / (SIGMAS.length * images.length),
        );
        traced.push(...(await trace(setting.engine, manifest, cases, psnr, 1)));
      }
      const policies: Policy[] = [];
      for (const [i, lambda] of lambdas.entries()) {
        onProgress(`λ = ${lambda} dB`, 0.8 + (0.2 * i) / lambdas.length);
        const cases = denoiseConditions(images, manifest, SIGMAS, SEED).flatMap(
          (condition) => condition.cases,
        );
        const pis: number[][] = [];
        for (const { sample } of cases) {
          // π never exceeds 1, so every exit is evaluated.
          const { samples } = await engine.run(nameOf(lambda), [sample], {
            rule: 'threshold',
            threshold: 1,
          });
          pis.push(samples[0]!.pi.slice(0, manifest.exits.length - 1));
        }
        // The layers are shared, so quality and time at every exit are too.
        policies.push({ lambda, traced: traced.map((sample, s) => ({ ...sample, pi: pis[s]! })) });
      }
      return [await section(manifest, traced, policies, images.length)];
    },
  );
}

interface Policy {
  readonly lambda: number;
  readonly traced: readonly Traced[];
}

async function section(
  manifest: Manifest,
  traced: readonly Traced[],
  policies: readonly Policy[],
  count: number,
): Promise<Section> {
  const cost = costs(manifest, traced);
  const fixed = manifest.exits.map((exit, i) => ({
    ...cost(traced, () => i),
    label: String(exit),
  }));
  const byPrice = policies.map(({ lambda, traced: samples }) => ({
    ...cost(samples, (sample) => exitAt(sample, 0.5)),
    label: `λ = ${lambda} dB`,
  }));
  const row = ({ label, depth, x, y }: (typeof fixed)[number]) => [
    label,
    depth.toFixed(2),
    decibels(y),
    decibels(fixed.at(-1)!.y - y),
    `${(100 * x).toFixed(0)} %`,
  ];
  return {
    heading: 'The price of compute',
    text:
      `Policies on the layers of ${manifest.name}, each trained with its own price λ of the full depth and run at the threshold 0.5; ` +
      `${count} of the images, all levels mixed. Time is a share of full depth, from the median time of each exit.`,
    tables: [
      {
        columns: ['', 'mean depth', 'PSNR, dB', 'lost, dB', 'time'],
        rows: [
          ...fixed.map((at) => row({ ...at, label: `every image at depth ${at.label}` })),
          ...byPrice.map(row),
        ],
      },
    ],
    figures: [
      {
        file: 'prices.svg',
        caption: 'PSNR over time, by the price of compute',
        content: await curves({
          title: 'Policies by the price of compute in training',
          x: { title: 'time, share of full depth' },
          y: { title: 'PSNR, dB' },
          curves: [
            { name: 'every image at one depth', points: fixed },
            { name: 'policies, by λ', points: byPrice, line: false },
          ],
        }),
      },
    ],
  };
}
