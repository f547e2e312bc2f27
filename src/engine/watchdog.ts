/** Notices workers that are stuck: inside a run, or in code that never returns. */

/** A worker that is silent for less is not stuck, ms. */
const MIN_SILENCE_MS = 10_000;
/** A run that takes this many times what was predicted is stuck. */
const RUN_FACTOR = 20;
/** A decoding that takes longer is stuck, ms: the worker answers, but the thread that decodes does not. */
const MAX_DECODING_MS = 60_000;
/** How often workers are asked for a sign of life, ms. */
export const PING_INTERVAL_MS = 1_000;

/** What a worker was last heard to do. */
interface Sign {
  /** Since it was last heard, ms. */
  silentMs: number;
  /** The run that it announced last. */
  run: { readonly ids: readonly number[]; readonly ms: number };
}

/** Keeps for each worker how long it has been silent. Time is given by ticks, so that a stopped process finds nobody stuck. */
export class Watchdog<Worker extends object> {
  private readonly signs = new Map<Worker, Sign>();

  /** A worker sent a message. */
  heard(worker: Worker): void {
    this.sign(worker).silentMs = 0;
  }

  /** A worker announced a run. @param ms predicted */
  running(worker: Worker, ids: readonly number[], ms: number): void {
    this.signs.set(worker, { silentMs: 0, run: { ids, ms } });
  }

  /** Forgets a worker that has ended. */
  forget(worker: Worker): void {
    this.signs.delete(worker);
  }

  /** Time has passed, ms. @returns the workers that are stuck now, of those that are alive */
  tick(workers: readonly Worker[], elapsedMs: number): Worker[] {
    return workers.filter((worker) => {
      const sign = this.sign(worker);
      sign.silentMs += Math.min(elapsedMs, 2 * PING_INTERVAL_MS);
      return sign.silentMs > Math.max(MIN_SILENCE_MS, RUN_FACTOR * sign.run.ms);
    });
  }

  /** The requests of the run that a worker announced last. */
  runOf(worker: Worker): readonly number[] {
    return this.sign(worker).run.ids;
  }

  private sign(worker: Worker): Sign {
    const known = this.signs.get(worker);
    if (known) return known;
    const sign: Sign = { silentMs: 0, run: { ids: [], ms: 0 } };
    this.signs.set(worker, sign);
    return sign;
  }
}

/** Whether a decoding that began at `since` is stuck. Times in ms. */
export const isDecodingStuck = (since: number, now: number): boolean =>
  now - since > MAX_DECODING_MS;
