/** The paper's table for gray images, and quality against time. */
import type { Manifest } from '../../../src/bundle/manifest.ts';
import { denoiseConditions } from '../../../src/tasks/denoise/test-data.ts';
import { evaluate } from '../../../src/evaluation/evaluate.ts';
import { psnr } from '../../../src/evaluation/metrics.ts';
import { exitAt, trace, type Traced } from '../../../src/evaluation/trace.ts';
import { curves } from '../../plots/curves.ts';
import { histograms } from '../../plots/histograms.ts';
import { decibels, frequencies } from '../numbers.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { published } from './published.ts';
import { GRAY, SEED, SIGMAS, withModels, type Setting } from './setting.ts';
import { calibrated, costs, measuredRows, ours, sigmaColumns, type Pick } from './tables.ts';

export const gray: Part = {
  name: 'gray',
  about: 'PSNR on gray images beside the published figures; quality over time; where images stop.',
  run: (options) => withModels(options, 1, [GRAY], (setting) => run(setting, options)),
};

async function run(
  { engine, manifests, images, folder }: Setting,
  { onProgress }: ReproduceOptions,
): Promise<Section[]> {
  const manifest = manifests[0]!;
  const total = 2 * SIGMAS.length * images.length;
  let done = 0;
  const traced: Traced[][] = [];
  for (const { label, cases } of denoiseConditions(images, manifest, SIGMAS, SEED)) {
    onProgress(`σ ${label.sigma}`, done / total);
    // One image per request, so the times are those of a single caller.
    traced.push(await trace(engine, manifest, cases, psnr, 1));
    done += cases.length;
  }
  const clipped = await evaluate(
    engine,
    manifest,
    denoiseConditions(images, manifest, SIGMAS, SEED, true),
    psnr,
    {},
    () => onProgress('8-bit noise', ++done / total),
  );
  const about = `PSNR, dB, mean over ${images.length} images of ${folder}, seed ${SEED}.`;
  return [
    {
      heading: 'Gray images',
      text: `${about} The noise is Gaussian, not clipped; levels with a star are in no training, neither of the published models nor of ours.`,
      tables: [
        {
          columns: ['', ...sigmaColumns(SIGMAS)],
          rows: [
            ...published.map(({ name, psnr: known }) => [
              name,
              ...SIGMAS.map((s) => known[s]?.toFixed(2)),
            ]),
            ...ours(manifest, traced),
          ],
        },
      ],
    },
    {
      heading: 'Gray images, noise as in an 8-bit file',
      text: `${about} The noisy image is clipped to [0, 255] and rounded, as in a file, so the noise is no longer Gaussian.`,
      tables: [{ columns: ['', ...sigmaColumns(SIGMAS)], rows: measuredRows(manifest, clipped) }],
    },
    await depthAndTime(manifest, traced),
  ];
}

const THRESHOLDS = [0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

async function depthAndTime(manifest: Manifest, traced: readonly Traced[][]): Promise<Section> {
  const all = traced.flat();
  const { exits, threshold = 0.5 } = manifest;
  const cost = costs(manifest, all);
  const point = (pick: Pick, label?: string) => ({
    ...cost(all, pick),
    ...(label !== undefined && { label }),
  });
  const fixed = exits.map((exit, i) => point(() => i, String(exit)));
  const adaptive = THRESHOLDS.map((tau) => ({ tau, ...point((sample) => exitAt(sample, tau)) }));
  const here = point(calibrated(manifest), 'calibrated');
  const row = (name: string, { x, y, depth }: ReturnType<typeof point>) => [
    name,
    depth.toFixed(2),
    decibels(y),
    `${(100 * x).toFixed(0)} %`,
  ];
  const policy = calibrated(manifest);
  return {
    heading: 'Quality against time',
    text: `All levels from σ ${SIGMAS[0]} to ${SIGMAS.at(-1)} mixed, one image per request; time is a share of full depth, from the median time of each exit.`,
    tables: [
      {
        columns: ['', 'mean depth', 'PSNR, dB', 'time'],
        rows: [
          ...fixed.map((at) => row(`every image at depth ${at.label}`, at)),
          ...adaptive.map((at) => row(`policy, threshold ${at.tau}`, at)),
          row(`**policy, calibrated threshold ${threshold}**`, here),
        ],
      },
    ],
    figures: [
      {
        file: 'quality-over-time.svg',
        caption: 'PSNR over time, at fixed depths and with the policy',
        content: await curves({
          title: `Quality over time, σ ${SIGMAS[0]} to ${SIGMAS.at(-1)} mixed`,
          x: { title: 'time, share of full depth' },
          y: { title: 'PSNR, dB' },
          curves: [
            { name: 'every image at one depth', points: fixed },
            { name: 'policy, by its threshold', points: adaptive },
            { name: 'policy, calibrated', points: [here], line: false },
          ],
        }),
      },
      {
        file: 'depth-by-noise.svg',
        caption: 'Stop depths at each noise level',
        content: await histograms({
          title: `Where images stop, threshold ${threshold}`,
          x: 'layer',
          from: 1,
          to: manifest.depth,
          histograms: traced.map((list, i) => ({
            name: `σ ${SIGMAS[i]}`,
            counts: frequencies(list.map((sample) => exits[policy(sample)]!)),
          })),
        }),
      },
    ],
  };
}
