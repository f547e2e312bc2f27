/** How much longer work takes than its predicted compute: decoding, encoding, other processes on the same cores. */

/** How fast what was measured loses weight, s: about the time in which the load of a machine changes. */
const MEMORY_S = 1;
/** Upper bound of the pace: a worker that mostly waits for requests is not slow. */
const MAX_PACE = 10;

/** Compares predicted compute with the time in which busy workers got it done. Times are given, in ms. */
export class Pace<Worker extends object> {
  private wall = 0;
  private predicted = 0;
  /** When each busy worker ended its last request, or became busy. */
  private readonly since = new Map<Worker, number>();

  /** Seconds of a worker for each predicted second, 1 to MAX_PACE. */
  get value(): number {
    if (this.predicted === 0) return 1;
    return Math.min(MAX_PACE, Math.max(1, this.wall / this.predicted));
  }

  /** A request was given to a worker. */
  begin(worker: Worker, now: number): void {
    if (!this.since.has(worker)) this.since.set(worker, now);
  }

  /**
   * A request has ended.
   * @param seconds predicted for it; undefined where it was not answered, so that its time says nothing
   * @param isIdle whether the worker has nothing else to do
   */
  end(worker: Worker, now: number, seconds: number | undefined, isIdle: boolean): void {
    const since = this.since.get(worker) ?? now;
    if (isIdle) this.since.delete(worker);
    else this.since.set(worker, now);
    if (seconds === undefined) return;
    const elapsed = (now - since) / 1000;
    const kept = Math.exp(-elapsed / MEMORY_S);
    this.wall = kept * this.wall + elapsed;
    this.predicted = kept * this.predicted + seconds;
  }
}
