/** Keeps the work in flight, in all and by client, and predicts what requests cost. */
import { NO_LOAD, refusal, updateLoad, type Cost, type Limits, type Load } from './admission.ts';
import type { Problem } from '../errors.ts';

/** What is known of a request before it is decoded. */
export interface Origin {
  /** Requests of the same kind cost about the same for each unit. */
  readonly kind: string;
  /** The size of the request, such as the bytes of its body. */
  readonly units: number;
  /** Who sent it, such as its address; without one it is not bound to a fair share. */
  readonly client?: string | undefined;
}

/** What a unit of a kind that was never seen costs. */
const UNKNOWN: Cost = { samples: 0, seconds: 1e-9 };
/** Weight of the newest request in the running mean of its kind. */
const NEWEST_WEIGHT = 0.1;
/** The kinds are few: tasks and models. */
const MAX_KINDS = 256;

/** The accounts of everything in flight. */
export class Accounts {
  load = NO_LOAD;
  private readonly clients = new Map<string, Load>();
  /** What a unit of each kind costs. */
  private readonly perUnit = new Map<string, Cost>();

  constructor(private readonly limits: Limits) {}

  /** What a request will cost, judged by those of its kind. @param samples as far as they are known */
  estimate({ kind, units }: Origin, samples: number): Cost {
    const known = this.perUnit.get(kind) ?? UNKNOWN;
    return {
      samples: Math.max(samples, Math.round(units * known.samples)),
      seconds: units * known.seconds,
    };
  }

  /** Records the cost of a request whose samples became known. */
  learn({ kind, units }: Origin, { samples, seconds }: Cost): void {
    const known = this.perUnit.get(kind);
    if (known === undefined && this.perUnit.size >= MAX_KINDS) return;
    const size = Math.max(units, 1);
    const newest = { samples: samples / size, seconds: seconds / size };
    this.perUnit.set(kind, known === undefined ? newest : between(known, newest, NEWEST_WEIGHT));
  }

  /**
   * Why a request of this cost is refused; undefined where it is accepted.
   * @param counted its cost as it is counted now, where it was accepted before
   */
  refusal(
    { client }: Origin,
    counted: Cost | undefined,
    cost: Cost,
    secondsLeft?: number,
  ): Problem | undefined {
    const load = updateLoad(this.load, counted, undefined, this.limits);
    const mine = client === undefined ? undefined : (this.clients.get(client) ?? NO_LOAD);
    return refusal(
      {
        cost,
        secondsLeft,
        load,
        ...(mine && {
          client: {
            load: updateLoad(mine, counted, undefined, this.limits),
            clients: this.clients.size + (mine.requests === 0 ? 1 : 0),
          },
        }),
      },
      this.limits,
    );
  }

  /** Counts a request, or what it costs now; undefined stands for a request that is new or was answered. */
  count({ client }: Origin, from: Cost | undefined, to: Cost | undefined): void {
    this.load = updateLoad(this.load, from, to, this.limits);
    if (client === undefined) return;
    const load = updateLoad(this.clients.get(client) ?? NO_LOAD, from, to, this.limits);
    if (load.requests === 0) this.clients.delete(client);
    else this.clients.set(client, load);
  }

  /** The share of the time limit that a client has in flight. */
  shareOf(client: string | undefined): number {
    return client === undefined ? 0 : (this.clients.get(client)?.timeShare ?? 0);
  }
}

const between = (a: Cost, b: Cost, share: number): Cost => ({
  samples: a.samples + share * (b.samples - a.samples),
  seconds: a.seconds + share * (b.seconds - a.seconds),
});
