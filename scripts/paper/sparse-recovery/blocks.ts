/** Images measured block by block, and methods to recover them: a served model, ISTA and FISTA. */
import type { Planes } from '../../../src/codecs/images.ts';
import { fromBlocks, toBlocks, toCoefficients, toPixels } from './cosine-blocks.ts';
import type { Matrix } from '../../../src/data/sparse-recovery.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { crop } from '../../../src/codecs/crop.ts';
import { nmse } from '../../../src/evaluation/metrics.ts';
import type { StoppingParameters } from '../../../src/stopping/parameters.ts';
import { ista, iterate } from './baselines.ts';

/** Blocks as signals, with their noiseless measurements. */
export interface Measured {
  readonly count: number;
  /** [count,n]. */
  readonly signals: Float32Array;
  /** [count,m]. */
  readonly measurements: Float32Array;
}

export interface MeasuredImage extends Measured {
  readonly name: string;
  readonly image: Planes;
  /** Blocks per row of the image. */
  readonly across: number;
}

export interface Recovered {
  /** [count,n]. */
  readonly signals: Float32Array;
  /** Stop depth of every block; empty for a method without layers. */
  readonly depths: readonly number[];
}

export type Method = (measured: Measured) => Promise<Recovered>;

/** Blocks per batch of ISTA and FISTA; bounds memory, since the signals after every iteration are kept. */
const TOGETHER = 256;

/** Cuts an image into blocks and measures them. @throws Error if the image is smaller than a block */
export function measureImage(
  name: string,
  whole: Planes,
  { rows, columns, data }: Matrix,
  transform: Matrix,
): MeasuredImage {
  const side = Math.sqrt(columns);
  const image = crop(
    whole,
    0,
    0,
    whole.width - (whole.width % side),
    whole.height - (whole.height % side),
  );
  const blocks = toBlocks(image, side).map((block) => toCoefficients(transform, block));
  if (blocks.length === 0)
    throw new Error(`${name} is smaller than a block of ${side}×${side} pixels.`);
  const measurements = new Float32Array(blocks.length * rows);
  blocks.forEach((signal, b) => {
    for (let i = 0; i < rows; i++) {
      let sum = 0;
      for (let j = 0; j < columns; j++) sum += data[i * columns + j]! * signal[j]!;
      measurements[b * rows + i] = sum;
    }
  });
  return {
    name,
    image,
    across: image.width / side,
    count: blocks.length,
    signals: joined(blocks),
    measurements,
  };
}

/** Reassembles the recovered blocks into an image. */
export function toImage(
  { signals }: Recovered,
  { across, count }: MeasuredImage,
  transform: Matrix,
): Planes {
  const n = transform.rows;
  const blocks = Array.from({ length: count }, (_, b) =>
    toPixels(transform, signals.subarray(b * n, (b + 1) * n)),
  );
  return fromBlocks(blocks, Math.sqrt(n), across);
}

/** Every `every`-th block of all images. */
export function someBlocks(images: readonly Measured[], every: number): Measured {
  const rows = (of: 'signals' | 'measurements'): Float32Array[] =>
    images.flatMap((measured) => {
      const length = measured[of].length / measured.count;
      const kept = Array.from({ length: Math.ceil(measured.count / every) }, (_, i) => i * every);
      return kept.map((b) => measured[of].subarray(b * length, (b + 1) * length));
    });
  const signals = rows('signals');
  return {
    count: signals.length,
    signals: joined(signals),
    measurements: joined(rows('measurements')),
  };
}

/** Recovery by a model, through the engine. */
export const served =
  (engine: Engine, model: string, stopping: StoppingParameters): Method =>
  async ({ count, measurements }) => {
    const m = measurements.length / count;
    const samples = Array.from({ length: count }, (_, b) => ({
      measurements: { data: measurements.slice(b * m, (b + 1) * m), dims: [m] },
    }));
    const result = await engine.run(model, samples, stopping);
    return {
      signals: joined(result.samples.map(({ outputs }) => outputs.signal!.data)),
      depths: result.samples.map(({ depth }) => depth),
    };
  };

export interface IterationOptions {
  /** FISTA if true, ISTA if false. */
  readonly momentum: boolean;
  readonly iterations: number;
  /** Usual size of each coefficient, [n]: ρ_j = penalty / scale_j, so small coefficients are penalised more. */
  readonly scales: Float32Array;
}

/** ISTA or FISTA. */
export const iterative =
  (matrix: Matrix, { momentum, iterations, scales }: IterationOptions, penalty: number): Method =>
  async ({ count, measurements }) => {
    const penalties = scales.map((scale) => penalty / scale);
    const signals: Float32Array[] = [];
    for (let from = 0; from < count; from += TOGETHER) {
      const to = Math.min(from + TOGETHER, count);
      const some = measurements.slice(from * matrix.rows, to * matrix.rows);
      signals.push(
        (await iterate(ista(matrix, penalties, momentum), some, to - from, iterations)).at(-1)!,
      );
    }
    return { signals: joined(signals), depths: [] };
  };

/** The penalty with the least squared error on these blocks. */
export async function bestPenalty(
  matrix: Matrix,
  options: IterationOptions,
  penalties: readonly number[],
  blocks: Measured,
): Promise<number> {
  let best = { penalty: 0, error: Number.POSITIVE_INFINITY };
  for (const penalty of penalties) {
    const { signals } = await iterative(matrix, options, penalty)(blocks);
    const [error] = nmse.sample(signals, blocks.signals);
    if (error < best.error) best = { penalty, error };
  }
  return best.penalty;
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const result = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
