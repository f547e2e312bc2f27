/** Seeded requests as callers send them: what models are trained, calibrated and measured on. */
import { createHash } from 'node:crypto';
import { Random } from '../data/random.ts';
import type { Case } from './data.ts';
import type { Metric } from './metrics.ts';

/** Training; choosing rules; certifying them; reporting. No source of one part occurs in another. */
export const parts = ['training', 'selection', 'certification', 'test'] as const;
/** Name of a part of the traffic. */
export type Part = (typeof parts)[number];

/** A request of the mix with its truth, ready for the engine. */
export interface TrafficRequest extends Case {
  /** The class of the mix that it was drawn from. */
  readonly kind: string;
  /** What it was made of. Requests of one source depend on each other: together they are one unit of certification. */
  readonly source: string;
}

/** The requests of one part. */
export interface Traffic<R extends TrafficRequest = TrafficRequest> {
  readonly part: Part;
  /** Request `i` = 0, 1, …; depends on the part, the seed and `i` alone. */
  readonly draw: (i: number) => Promise<R>;
}

/** What a bundle is calibrated on. */
export interface CalibrationTraffic {
  /** In a few words, for the manifest. */
  readonly name: string;
  readonly selection: Traffic;
  readonly certification: Traffic;
  /** Where there is data for it. */
  readonly test?: Traffic;
  /** Requests of the certification part where no other number is asked for. */
  readonly count: number;
  /** Where no more can be asked for: requests of the certification part. */
  readonly most?: number;
  /** Where the data decides how answers are judged: instead of the task's metric. */
  readonly metric?: Metric;
  /** How often the time of a request is taken where no other number is asked for; the median counts. */
  readonly repeats: number;
  /** What a caller knows of a request before the first layer; the model's own input statistic where absent. */
  readonly statistic?: (request: TrafficRequest) => number;
  /** The request's own input, where it could be an answer; of the shape of the truth. */
  readonly untouched?: (request: TrafficRequest) => Float32Array;
}

/** Requests of a part whose seeds are sure to differ from those of the other parts. */
const BLOCK = 2 ** 30;

/** The random numbers of request `i`. Parts never share a seed: each has a quarter of the 32 bits. */
export function randomOf(part: Part, seed: number, i: number): Random {
  const first = Math.floor(BLOCK * uniformHash(`seed ${seed}`));
  return new Random(BLOCK * parts.indexOf(part) + ((first + i) % BLOCK));
}

/** Weights of the parts that sources are divided among. */
export type Shares = Partial<Readonly<Record<Part, number>>>;

/** The part of a source by a hash of its name or content: the same in every set that holds it. */
export function partOf(content: string | Uint8Array, shares: Shares): Part {
  const listed = parts.filter((part) => (shares[part] ?? 0) > 0);
  let left = uniformHash(content) * listed.reduce((sum, part) => sum + shares[part]!, 0);
  return listed.find((part) => (left -= shares[part]!) < 0) ?? listed.at(-1)!;
}

/** A name for content that says the same of every copy. */
export const sourceOf = (content: string | Uint8Array): string =>
  digest(content).toString('hex', 0, 8);

/** A hash as a number in [0, 1), 32 bits. */
const uniformHash = (content: string | Uint8Array): number =>
  digest(content).readUInt32BE() / 2 ** 32;

const digest = (content: string | Uint8Array): Buffer =>
  createHash('sha256').update(content).digest();
