/** `train policy`: makes any finished network with exits stop early, by policies in files of their own. */
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Manifest } from '../bundle/manifest.ts';
import { checksum, loadBundle } from '../bundle/read.ts';
import { writeManifest } from '../bundle/write.ts';
import { areClasses, traceFrozen, type Traced } from '../training/frozen.ts';
import { readSamples, splitSamples } from '../training/samples.ts';
import { trainPolicies } from '../training/policy-files.ts';
import { at } from '../util/at.ts';
import { WorkBar } from './progress.ts';

/** Help text of `train policy`. */
export const policyUsage = `npm run train -- policy --bundle DIR --data NAME=FILE.npy… --data target=FILE.npy

Trains a stop policy for a finished network: Stage II on frozen segments. Writes a policy file for each exit but the last
into the bundle; its other files stay as they are. Inputs and target are arrays with a row for each sample. The target is
what the first output should be: classes [n] for scores [N,C], else values of its shape. A fifth of the samples is held out
for the printed figures.

  --bundle DIR      the folder of the bundle
  --data NAME=FILE  an input of the network, or target; once for each
  --lambda X        loss that the whole path's compute is worth, in nats or dB (default 0.05 nats, 0.5 dB)
  --beta X          temperature of the oracle, in nats or dB (default 0.1 nats, 0.5 dB)
  --steps N         steps of 256 samples (default 2000)
  --seed N          seed of weights, batches and split (default 1)
  --replace         replace policy files that are there`;

const HIDDEN = 16;
const RATE = 3e-3;

/** Trains, writes and prints what the policies do. @throws Error that names the flag or file to change */
export async function trainPolicyCommand(args: readonly string[]): Promise<void> {
  const { values: flags } = parseArgs({
    args: [...args],
    options: {
      bundle: { type: 'string' },
      data: { type: 'string', multiple: true, default: [] },
      lambda: { type: 'string' },
      beta: { type: 'string' },
      steps: { type: 'string', default: '2000' },
      seed: { type: 'string', default: '1' },
      replace: { type: 'boolean', default: false },
    },
  });
  if (flags.bundle === undefined) throw new Error(policyUsage);
  const bundle = await loadBundle(resolve(flags.bundle));
  const { manifest } = bundle;
  check(manifest, flags.replace);
  const samples = await readSamples(flags.data);
  const unit = areClasses(manifest, samples.target) ? 'nats' : 'dB';
  const usual = unit === 'nats' ? { lambda: 0.05, beta: 0.1 } : { lambda: 0.5, beta: 0.5 };
  const bar = new WorkBar();
  const seed = toNumber('--seed', flags.seed, 0);
  const steps = toNumber('--steps', flags.steps, 1);
  try {
    const traced = await traceFrozen(bundle, samples, (share) => bar.update('run', share / 2));
    const { train, held } = splitSamples(samples, seed);
    const policies = await trainPolicies(manifest, traced, {
      steps,
      rate: RATE,
      divergence: 'gain',
      lambda: flags.lambda === undefined ? usual.lambda : toNumber('--lambda', flags.lambda, 0),
      beta: flags.beta === undefined ? usual.beta : toNumber('--beta', flags.beta, 1e-6),
      hidden: HIDDEN,
      seed,
      rows: train,
      onStep: (step) => bar.update('train', 0.5 + step / steps / 2),
    });
    bar.stop();
    for (const [file, bytes] of policies.contents)
      await writeFile(join(bundle.directory, file), bytes);
    const added = [...policies.contents].map(
      ([file, bytes]) => [file, { sha256: checksum(bytes), bytes: bytes.length }] as const,
    );
    const kept = { ...manifest };
    // They belong to the policies before.
    delete kept.calibration;
    delete kept.threshold;
    await writeManifest(bundle.directory, {
      ...kept,
      policy_files: [...policies.entries],
      files: { ...manifest.files, ...Object.fromEntries(added) },
    });
    console.log(report(manifest, traced, policies.pi, held, unit));
  } finally {
    bar.stop();
  }
}

function check(manifest: Manifest, replace: boolean): void {
  const { name, path, exits, policies = ['pi'], policy_files: files = [] } = manifest;
  if (exits.length < 2) throw new Error(`${name} has one exit: there is nothing to decide.`);
  if (path !== undefined || policies.length > 1)
    throw new Error(
      `${name} has ${path === undefined ? 'several stop signals' : 'a path file'}; a policy file goes with neither.`,
    );
  if (files.length > 0 && !replace)
    throw new Error(`${name} has policy files; --replace trains them anew.`);
}

/** Depth, loss and time on the samples that were held out, of the policy and of each fixed exit. */
function report(
  manifest: Manifest,
  traced: readonly Traced[],
  pi: readonly Float32Array[],
  held: readonly number[],
  unit: string,
): string {
  const last = traced.length - 1;
  const stopAt = (row: number): number => {
    const found = pi.findIndex((values) => at(values, row) > 0.5);
    return found < 0 ? last : found;
  };
  const mean = (of: (row: number) => number): number =>
    held.reduce((sum, row) => sum + of(row), 0) / held.length;
  const line = (rule: string, exitOf: (row: number) => number): string => {
    const depth = mean((row) => at(traced, exitOf(row)).exit);
    const loss = mean((row) => at(at(traced, exitOf(row)).losses, row));
    const time = mean((row) => at(traced, exitOf(row)).ms) / at(traced, last).ms;
    return `  ${rule.padEnd(14)}mean depth ${depth.toFixed(2)}, loss ${loss.toFixed(4)} ${unit}, ${(100 * time).toFixed(0)} % of the time of all layers`;
  };
  return [
    `${manifest.name}: ${pi.length} policies were written. On ${held.length} samples that were held out:`,
    line('policy', stopAt),
    ...traced.map(({ exit }, i) => line(`depth ${exit}`, () => i)),
  ].join('\n');
}

function toNumber(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < least)
    throw new Error(`${flag} must be a number from ${least} on, not ${text}.`);
  return value;
}
