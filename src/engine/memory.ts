/** The memory that requests may hold together: bodies while they are read and answered, and what they become in a worker. */
import { Problem } from '../errors.ts';

/** The share of the memory that bodies may hold, so that what is accepted can always be decoded. */
const BODY_SHARE = 0.25;

/** Memory of one body. */
export interface Hold {
  /** @throws Problem `overloaded` or `too-large` where there is not as much; what was held before stays held */
  resize(bytes: number): void;
  release(): void;
}

/** Counts bytes that requests hold, within a limit. */
export class Memory {
  private bodies = 0;
  private work = 0;
  /** The most that bodies hold together. */
  readonly mostBodies: number;

  /** @param limit for all requests together, bytes */
  constructor(readonly limit: number) {
    this.mostBodies = Math.floor(BODY_SHARE * limit);
  }

  /** Bytes that are held. */
  get held(): number {
    return this.bodies + this.work;
  }

  /** Bytes that a request can be granted now for its decoding, samples and results. */
  get free(): number {
    return this.limit - this.held;
  }

  /** The most that one request can be granted. */
  get mostWork(): number {
    return this.limit - this.mostBodies;
  }

  /**
   * Holds memory for a body before it is read.
   * @throws Problem `too-large` where it never fits, `overloaded` where it does not fit now
   */
  holdBody(bytes: number): Hold {
    let held = 0;
    const resize = (to: number): void => {
      if (to > held) this.checkBody(to, to - held);
      this.bodies += to - held;
      held = to;
    };
    resize(bytes);
    return { resize, release: () => resize(0) };
  }

  /** Grants memory that is free. @throws RangeError where it is not */
  grant(bytes: number): void {
    if (bytes > this.free) throw new RangeError(`${bytes} bytes are not free`);
    this.work += bytes;
  }

  release(bytes: number): void {
    this.work -= bytes;
  }

  /** Why a request that needs this memory can never be granted it. */
  refusal(bytes: number): Problem | undefined {
    if (bytes <= this.mostWork) return undefined;
    return new Problem(
      'too-large',
      `The request needs about ${megabytes(bytes)} of memory; at most ${megabytes(this.mostWork)} are given to one (MAX_MEMORY_BYTES). Send a smaller one.`,
    );
  }

  private checkBody(bytes: number, more: number): void {
    if (bytes > this.mostBodies)
      throw new Problem(
        'too-large',
        `The body needs ${megabytes(bytes)} of memory; bodies get at most ${megabytes(this.mostBodies)} (MAX_MEMORY_BYTES).`,
      );
    if (this.bodies + more > this.mostBodies || more > this.free)
      throw new Problem(
        'overloaded',
        `Other requests hold ${megabytes(this.held)} of memory (limit ${megabytes(this.limit)}); retry in 1 s.`,
      );
  }
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
