/** What callers ask to recover: signals of any sparsity, noise, law of amplitudes and scale. */
import { amplitudes, type Amplitude } from '../../data/amplitudes.ts';
import type { Choice, Random } from '../../data/random.ts';
import {
  pickSignals,
  SignalSampler,
  type Matrix,
  type SignalOptions,
  type Signals,
} from '../../data/sparse-recovery.ts';
import {
  randomOf,
  sourceOf,
  type Part,
  type Traffic,
  type TrafficRequest,
} from '../../evaluation/traffic.ts';

/** The mix; each sample draws all four. */
export const recoveryMix = {
  sparsity: { from: 0.01, to: 0.2, spacing: 'log' },
  /** dB. */
  snr: { from: 10, to: 60, spacing: 'linear' },
  values: Object.keys(amplitudes) as Amplitude[],
  scale: { from: 1e-6, to: 1e6, spacing: 'log' },
} as const;

/** A request of the mix, with the parameters that it was drawn with. */
export interface RecoveryRequest extends TrafficRequest {
  /** The law of the amplitudes. */
  readonly kind: Amplitude;
  /** The expected share of entries that are not zero. */
  readonly sparsity: number;
  /** dB. */
  readonly snr: number;
  /** The factor by which `measurements` [m] and `truth` [n] are multiplied. */
  readonly scale: number;
}

/** What replaces parts of the mix. */
export interface RecoveryTraffic {
  /** In place of that of the mix. */
  readonly scale?: Choice;
  /** Signals of this part alone, in place of random ones: the mix then gives the noise and the scale. */
  readonly signals?: Signals;
}

/** Every request is a source of its own; of given signals, the signal is. */
export const recoveryTraffic = (
  matrix: Matrix,
  part: Part,
  seed: number,
  { scale = recoveryMix.scale, signals }: RecoveryTraffic = {},
): Traffic<RecoveryRequest> => ({
  part,
  draw: (i) => {
    const random = randomOf(part, seed, i);
    const row = signals && random.integer(signals.count);
    const own = signals && pickSignals(signals, (k) => k === row);
    const batch = trafficSampler(matrix, random, 1, { scale, signals: own }).next();
    return Promise.resolve({
      kind: batch.values[0]!,
      source: own ? sourceOf(bytesOf(own.data)) : `${part} ${seed}/${i}`,
      sample: { measurements: { data: batch.measurements, dims: [matrix.rows] } },
      truth: batch.signals,
      sparsity: batch.sparsity[0]!,
      snr: batch.snr[0]!,
      scale: batch.scale[0]!,
    });
  },
});

/** Batches of the same mix, to train on. @param random that of the training part: `randomOf('training', seed, 0)` */
export const trafficSampler = (
  matrix: Matrix,
  random: Random,
  count: number,
  change: Pick<SignalOptions, 'scale' | 'signals'> = {},
): SignalSampler => new SignalSampler(matrix, random, count, { ...recoveryMix, ...change });

/** The bytes of an array, as a view of the same memory. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
