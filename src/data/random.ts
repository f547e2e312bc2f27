/** Seeded random numbers: the same seed gives the same numbers on every machine. */
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import { mix } from '../util/mix.ts';

/** An interval, drawn from uniformly or uniformly in the logarithm. */
export interface Range {
  readonly from: number;
  readonly to: number;
  readonly spacing: 'linear' | 'log';
}

/** A fixed number, a list to draw from, or an interval. */
export type Choice = number | readonly number[] | Range;

/** A seeded xoroshiro128+ generator whose state can be saved and restored. Not for cryptography. */
export class Random {
  private generator;

  /** @param seed an integer; only its lower 32 bits are used */
  constructor(seed: number) {
    // The generator is linear: without mixing, the numbers of neighbouring seeds would be correlated throughout.
    this.generator = xoroshiro128plusFromState(
      [1, 2, 3, 4].map((word) => mix(seed + Math.imul(word, 0x9e3779b9))),
    );
  }

  /** Uniform in [0, 1), 32 random bits. */
  uniform(): number {
    return (this.generator.next() >>> 0) / 2 ** 32;
  }

  /** A whole number in [0, n). */
  integer(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** A fixed number consumes no random number. */
  choose(choice: Choice): number {
    if (typeof choice === 'number') return choice;
    if (!('spacing' in choice)) return this.item(choice);
    const { from, to, spacing } = choice;
    return spacing === 'log'
      ? from * (to / from) ** this.uniform()
      : from + (to - from) * this.uniform();
  }

  /** An element of a list, uniformly. */
  item<T>(list: readonly T[]): T {
    return list[this.integer(list.length)]!;
  }

  /** A row of a table, with probability proportional to its weight. */
  weighted<T extends { readonly weight: number }>(table: readonly T[]): T {
    let left = this.uniform() * table.reduce((sum, { weight }) => sum + weight, 0);
    return table.find(({ weight }) => (left -= weight) < 0) ?? table.at(-1)!;
  }

  /** Standard normal, by the polar method (Marsaglia & Bray 1964). */
  normal = (): number => {
    for (;;) {
      const x = 2 * this.uniform() - 1;
      const y = 2 * this.uniform() - 1;
      const s = x * x + y * y;
      if (s > 0 && s < 1) return x * Math.sqrt((-2 * Math.log(s)) / s);
    }
  };

  /** Fills `target` with normal numbers of the given standard deviation, two from each draw. */
  fillNormal(target: Float32Array, deviation = 1): void {
    for (let i = 0; i < target.length;) {
      const x = 2 * this.uniform() - 1;
      const y = 2 * this.uniform() - 1;
      const s = x * x + y * y;
      if (s === 0 || s >= 1) continue;
      const scale = deviation * Math.sqrt((-2 * Math.log(s)) / s);
      target[i++] = x * scale;
      if (i < target.length) target[i++] = y * scale;
    }
  }

  /** State from which the same numbers continue. */
  state(): number[] {
    return [...this.generator.getState()];
  }

  /** @throws RangeError where this is no state of a generator */
  restore(state: unknown): void {
    if (!Array.isArray(state) || !state.every((word) => Number.isInteger(word)))
      throw new RangeError('this is no state of a random generator');
    this.generator = xoroshiro128plusFromState(state);
  }
}
