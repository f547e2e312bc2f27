/** Predicts compute: measured segment times, times the share of samples that now go as far as each segment. */
import type { Manifest } from '../../bundle/manifest.ts';
import type { StoppingParameters } from '../../stopping/parameters.ts';
import { at } from '../../util/at.ts';
import type { LoadedModel } from './models.ts';

/** Weight of the newest sample in the running shares: some fifty samples tell of a change. */
const NEWEST_WEIGHT = 0.05;

/** The parts of a loaded model that a prediction needs. */
export type Predictable = Pick<LoadedModel, 'firstExit'> & {
  readonly manifest: Pick<Manifest, 'name' | 'depth' | 'exits'>;
  readonly segments: readonly { readonly msPerElement: number }[];
};

/** Keeps, for each model, how deep its samples go. */
export class Predictor {
  /** By model and its exits: for each exit the share of samples that run on to it; 1 before any was answered. */
  private readonly reached = new Map<string, number[]>();

  /** Records the depths at which samples of a model stopped. */
  observe(manifest: Predictable['manifest'], depths: readonly number[]): void {
    const shares = this.sharesOf(manifest);
    for (const depth of depths)
      manifest.exits.forEach((exit, i) => {
        const value = Number(depth >= exit);
        shares[i] = at(shares, i) + NEWEST_WEIGHT * (value - at(shares, i));
      });
  }

  /**
   * Predicted compute, ms.
   * @param elements numbers in the inputs of all samples together
   * @param cap the exit, from 0, that load lets no sample pass; Infinity without load
   */
  ms(
    { manifest, segments, firstExit }: Predictable,
    elements: number,
    { depth, maxDepth, minDepth = 0 }: StoppingParameters = {},
    cap = Number.POSITIVE_INFINITY,
  ): number {
    const shares = this.sharesOf(manifest);
    const most = depth ?? maxDepth ?? manifest.depth;
    const least = depth ?? minDepth;
    const perElement = segments.reduce((sum, { msPerElement }, i) => {
      const exit = at(manifest.exits, i + firstExit);
      if (exit > most || i + firstExit > cap) return sum;
      return sum + msPerElement * (exit <= least ? 1 : at(shares, i + firstExit));
    }, 0);
    return perElement * elements;
  }

  private sharesOf({ name, exits }: Predictable['manifest']): number[] {
    // Another bundle of the name may have other exits.
    const key = `${name} ${exits.join()}`;
    const known = this.reached.get(key);
    if (known) return known;
    const shares = new Array<number>(exits.length).fill(1);
    this.reached.set(key, shares);
    return shares;
  }
}
