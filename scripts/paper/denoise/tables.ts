/** Rows that several parts print: quality by noise level at every fixed depth and with the policy. */
import type { Manifest, Measurement } from '../../../src/bundle/manifest.ts';
import { psnr } from '../../../src/evaluation/metrics.ts';
import { exitAt, qualityAt, type Traced } from '../../../src/evaluation/trace.ts';
import { decibels } from '../numbers.ts';
import type { Table } from '../report.ts';
import { UNSEEN } from './setting.ts';
import { median } from '../../../src/util/median.ts';

export type Pick = (sample: Traced) => number;

export const calibrated =
  ({ threshold = 0.5 }: Manifest): Pick =>
  (sample) =>
    exitAt(sample, threshold);

export const meanDepth = ({ exits }: Manifest, traced: readonly Traced[], pick: Pick): number =>
  traced.reduce((sum, sample) => sum + exits[pick(sample)]!, 0) / traced.length;

export const sigmaColumns = (sigmas: readonly number[]): string[] =>
  sigmas.map((sigma) => `σ ${sigma}${sigma > UNSEEN ? '*' : ''}`);

/** A row for each exit, one for the policy and one for its mean depth; a column for each noise level. */
export function ours(manifest: Manifest, traced: readonly (readonly Traced[])[]): Table['rows'] {
  const row = (name: string, pick: Pick) => [
    name,
    ...traced.map((list) => decibels(qualityAt(list, psnr, pick))),
  ];
  const policy = calibrated(manifest);
  return [
    ...manifest.exits.map((exit, i) =>
      row(`${manifest.name}, every image at depth ${exit}`, () => i),
    ),
    row(`**${manifest.name}, policy at its threshold ${manifest.threshold}**`, policy),
    ['its mean depth', ...traced.map((list) => meanDepth(manifest, list, policy).toFixed(2))],
  ];
}

/**
 * Cost and quality of stopping where `pick` says: `x` is the time as a share of full depth, from the median time of each exit in
 * `traced`; `y` is the PSNR in dB; `depth` is the mean depth.
 */
export function costs(manifest: Manifest, traced: readonly Traced[]) {
  const ms = manifest.exits.map((_, i) => median(traced.map((sample) => sample.ms[i]!)));
  return (samples: readonly Traced[], pick: Pick) => ({
    x: samples.reduce((sum, sample) => sum + ms[pick(sample)]!, 0) / samples.length / ms.at(-1)!,
    y: qualityAt(samples, psnr, pick),
    depth: meanDepth(manifest, samples, pick),
  });
}

/** Rows: full depth, policy, its mean depth, its share of the time. A column for each condition. */
export const measuredRows = (
  { name, depth, threshold = 0.5 }: Manifest,
  measured: readonly Measurement[],
): Table['rows'] => [
  [`${name}, all ${depth} layers`, ...measured.map((row) => decibels(row.full_depth_quality))],
  [
    `**${name}, policy at its threshold ${threshold}**`,
    ...measured.map(({ quality }) => decibels(quality)),
  ],
  ['its mean depth', ...measured.map((row) => row.mean_depth.toFixed(2))],
  [
    'its time, share of all layers',
    ...measured.map(
      (row) => `${((100 * row.ms_per_sample) / row.full_depth_ms_per_sample).toFixed(0)} %`,
    ),
  ],
];
