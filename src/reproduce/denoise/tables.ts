/** What the parts print alike: quality by noise level, at every fixed depth and with the policy. */
import type { Manifest } from '../../bundle/manifest.ts';
import { psnr } from '../../evaluation/quality.ts';
import { exitAt, qualityAt, type Traced } from '../../evaluation/trace.ts';
import { decibels } from '../numbers.ts';
import type { Table } from '../report.ts';
import { UNSEEN } from './setting.ts';

export type Pick = (sample: Traced) => number;

export const calibrated =
  ({ threshold = 0.5 }: Manifest): Pick =>
  (sample) =>
    exitAt(sample, threshold);

export const meanDepth = ({ exits }: Manifest, traced: readonly Traced[], pick: Pick): number =>
  traced.reduce((sum, sample) => sum + exits[pick(sample)]!, 0) / traced.length;

export const sigmaColumns = (sigmas: readonly number[]): string[] => sigmas.map((sigma) => `σ ${sigma}${sigma > UNSEEN ? '*' : ''}`);

/** A row for every exit, one with the policy, and its mean depth; a column for each noise level. */
export function ours(manifest: Manifest, traced: readonly (readonly Traced[])[]): Table['rows'] {
  const row = (name: string, pick: Pick) => [name, ...traced.map((list) => decibels(qualityAt(list, psnr, pick)))];
  const policy = calibrated(manifest);
  return [
    ...manifest.exits.map((exit, i) => row(`${manifest.name}, every image at depth ${exit}`, () => i)),
    row(`**${manifest.name}, policy at its threshold ${manifest.threshold}**`, policy),
    ['its mean depth', ...traced.map((list) => meanDepth(manifest, list, policy).toFixed(2))],
  ];
}
