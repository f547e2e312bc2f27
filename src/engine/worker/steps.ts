/** Where the time of a traced request went inside its worker: decoding, each segment, reading out, encoding. */
import type { Step } from '../types.ts';

/** Collects the runs of each step of one request. */
export class Steps {
  private readonly steps = new Map<string, Step>();

  /** @param arrivedAt a time of `clock()`, as are those of `ran` */
  constructor(private readonly arrivedAt: number) {}

  /** Records that a step ran. A segment runs once for each batch that has samples of the request. */
  ran(name: string, start: number, end: number): void {
    const { startMs = start - this.arrivedAt, runs = 0, ms = 0 } = this.steps.get(name) ?? {};
    const endMs = end - this.arrivedAt;
    this.steps.set(name, { name, startMs, endMs, runs: runs + 1, ms: ms + end - start });
  }

  /** In the order in which they began. */
  get all(): readonly Step[] {
    return [...this.steps.values()];
  }
}
