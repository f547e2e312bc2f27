/** Kinds of noise that are not in training. */
import { decodeImage, encodeImage, type Planes } from '../../../src/codecs/images.ts';
import { Random } from '../../../src/data/random.ts';
import type { Case } from '../../../src/evaluation/data.ts';
import { fitting } from '../../../src/tasks/denoise/test-data.ts';
import { evaluate } from '../../../src/evaluation/evaluate.ts';
import { psnr } from '../../../src/evaluation/metrics.ts';
import { decibels } from '../numbers.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { GRAY, SEED, withModels, type Setting } from './setting.ts';

export const otherNoise: Part = {
  name: 'other-noise',
  about: 'JPEG artefacts, Poisson noise and impulses, none of which are in training.',
  run: (options) => withModels(options, 1, [GRAY], (setting) => run(setting, options)),
};

interface Kind {
  readonly name: string;
  readonly spoil: (clean: Planes, random: Random) => Promise<Float32Array>;
}

const KINDS: readonly Kind[] = [
  ...[10, 20, 40].map((quality) => ({
    name: `JPEG, quality ${quality}`,
    spoil: (clean: Planes) => compressed(clean, quality),
  })),
  ...[10, 30, 100].map((peak) => ({
    name: `Poisson, ${peak} photons at white`,
    spoil: ({ data }: Planes, random: Random) =>
      Promise.resolve(Float32Array.from(data, (value) => poisson(peak * value, random) / peak)),
  })),
  {
    name: 'impulses, 5 % of pixels black or white',
    spoil: ({ data }, random) =>
      Promise.resolve(
        Float32Array.from(data, (value) =>
          random.uniform() < 0.05 ? Number(random.uniform() < 0.5) : value,
        ),
      ),
  },
];

async function compressed(clean: Planes, quality: number): Promise<Float32Array> {
  const file = await encodeImage(
    { ...clean, format: 'jpeg', bits: 8, alpha: undefined, source: undefined },
    'jpeg',
    { quality },
  );
  return (await decodeImage(file, Number.POSITIVE_INFINITY)).data;
}

/** Draws a Poisson number (Knuth 1969, multiplication method); exp(−mean) must not underflow, so mean < 700. */
function poisson(mean: number, random: Random): number {
  const bound = Math.exp(-mean);
  let count = 0;
  for (let product = random.uniform(); product > bound; product *= random.uniform()) count++;
  return count;
}

async function run(
  { engine, manifests, images, folder }: Setting,
  { onProgress }: ReproduceOptions,
): Promise<Section[]> {
  const manifest = manifests[0]!;
  const input = manifest.inputs[0]!.name;
  const rows: (readonly string[])[] = [];
  for (const [k, { name, spoil }] of KINDS.entries()) {
    onProgress(name, k / KINDS.length);
    const random = new Random(SEED + k);
    const cases: Case[] = [];
    for (const clean of images.map((image) => fitting(image, manifest))) {
      const dims = [clean.channels, clean.height, clean.width];
      cases.push({
        sample: { [input]: { data: await spoil(clean, random), dims } },
        truth: clean.data,
      });
    }
    const [measured] = await evaluate(
      engine,
      manifest,
      [{ label: { noise: name }, cases }],
      psnr,
      {},
    );
    const before = psnr.total(
      cases.map(({ sample, truth }) => psnr.sample(sample[input]!.data, truth)),
    );
    const { quality, mean_depth: depth, full_depth_quality: full } = measured!;
    rows.push([name, decibels(before), decibels(quality), depth.toFixed(2), decibels(full)]);
  }
  return [
    {
      heading: 'Noise of other kinds',
      text: `${manifest.name} on ${images.length} images of ${folder}, seed ${SEED}; PSNR, dB. It was trained on Gaussian noise only.`,
      tables: [
        {
          columns: ['', 'noisy input', 'denoised', 'mean depth', `at depth ${manifest.depth}`],
          rows,
        },
      ],
    },
  ];
}
