/** Which exits a path could do without: those that little traffic leaves at and whose removal makes no long segment. */

/** Share of the traffic that makes an exit worth keeping. */
const LEAST_SHARE = 0.02;
/** Longest segment, as a share of the time of all layers: depth sliders, events, shedding and deadlines need places to stop. */
const LONGEST_SEGMENT = 0.25;

/** An exit of a path. */
export interface ExitUse {
  /** Layers. */
  readonly depth: number;
  /** Share of the traffic that leaves here. */
  readonly share: number;
  /** Time up to here. */
  readonly ms: number;
}

/**
 * The depths that can be merged with the exits after them; the exit of least use goes first. The last stays, and so does
 * depth 0, which costs no layer.
 * @param exits of ascending depth
 */
export function prunableExits(exits: readonly ExitUse[]): number[] {
  let kept = [...exits];
  const full = exits.at(-1)!.ms;
  const merged = (i: number): number => kept[i + 1]!.ms - (kept[i - 1]?.ms ?? 0);
  for (;;) {
    const [least] = kept
      .map((exit, i) => ({ ...exit, i }))
      .slice(0, -1)
      .filter(({ depth, share, i }) => {
        const isIdle = depth > 0 && share < LEAST_SHARE;
        return isIdle && merged(i) <= LONGEST_SEGMENT * full;
      })
      .sort((a, b) => a.share - b.share);
    if (!least) break;
    kept = kept.filter(({ depth }) => depth !== least.depth);
  }
  const depths = new Set(kept.map(({ depth }) => depth));
  return exits.flatMap(({ depth }) => (depths.has(depth) ? [] : [depth]));
}
