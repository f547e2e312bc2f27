/** The traffic that a recovery bundle is calibrated on. */
import { basename } from 'node:path';
import type { Manifest } from '../../bundle/manifest.ts';
import type { Choice } from '../../data/random.ts';
import { readSignals } from '../../data/signal-files.ts';
import { pickSignals, type Signals } from '../../data/sparse-recovery.ts';
import { partOf, type CalibrationTraffic, type Part } from '../../evaluation/traffic.ts';
import { toPositive, type FlagsOf, type FlagTable } from '../../training/flags.ts';
import { matrixOf } from './matrix-file.ts';
import { bytesOf, recoveryMix, recoveryTraffic } from './traffic.ts';

/** Flags of `calibrate` for sparse-recovery bundles. */
export const calibrateFlags = {
  data: {
    type: 'string',
    value: 'S.npy',
    help: 'signals (count, n) that the model was not trained on; random ones where absent',
  },
  scale: {
    type: 'string',
    value: 'X|any',
    default: 'any',
    help: `factor of signals and measurements; any: ${recoveryMix.scale.from} to ${recoveryMix.scale.to}, log-uniform`,
  },
} as const satisfies FlagTable;

const shares = { selection: 0.3, certification: 0.4, test: 0.3 };

/** Random signals of the mix, or given ones divided among the parts by a hash of their content. */
export async function recoveryCalibration(
  { data, scale }: FlagsOf<typeof calibrateFlags>,
  manifest: Manifest,
  modelsDir: string,
  seed: number,
): Promise<CalibrationTraffic> {
  const matrix = await matrixOf(manifest, modelsDir);
  const own = data === undefined ? undefined : await readSignals(data, matrix);
  const factor: Choice = scale === 'any' ? recoveryMix.scale : toPositive('--scale', scale);
  const traffic = (part: keyof typeof shares) =>
    recoveryTraffic(matrix, part, seed, {
      scale: factor,
      ...(own && { signals: signalsOf(own, part, data!) }),
    });
  const { sparsity, snr } = recoveryMix;
  const drawn = `random signals of sparsity ${100 * sparsity.from}–${100 * sparsity.to} %, five amplitude laws`;
  return {
    name: `${own ? `${own.count} signals, ${basename(data!)}` : drawn}, SNR ${snr.from}–${snr.to} dB, ${scale === 'any' ? 'any scale' : `scale ${scale}`}`,
    selection: traffic('selection'),
    certification: traffic('certification'),
    test: traffic('test'),
    count: 3000,
    repeats: 3,
  };
}

function signalsOf(signals: Signals, part: Part, file: string): Signals {
  const { length, data } = signals;
  const row = (i: number): Uint8Array => bytesOf(data.subarray(i * length, (i + 1) * length));
  const picked = pickSignals(signals, (i) => partOf(row(i), shares) === part);
  if (picked.count === 0)
    throw new Error(`${file} holds too few signals: none is left for ${part}.`);
  return picked;
}
