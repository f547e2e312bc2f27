/** The requests in flight: what each costs, the memory it holds, and when it may be decoded. */
import { clock } from '../util/clock.ts';
import { Accounts, type Origin } from './accounts.ts';
import { bounded, exitShare, missedDeadline, type Cost, type Limits } from './admission.ts';
import { countedAhead, nextGrant } from './grants.ts';
import type { Memory } from './memory.ts';
import { Pace } from './pace.ts';
import type { NewRequest, Pending } from './pending.ts';
import type { WorkerSlot } from './supervisor.ts';
import { isDecodingStuck } from './watchdog.ts';
import type { FromWorker, Work } from './transport/messages.ts';
import type { TaskExit } from './types.ts';
import type { Problem } from '../errors.ts';

/** Called when a request that waited to be decoded is refused after all. */
export type Refuse = (id: number, problem: Problem) => void;

/** By which share the pace changes before the requests are counted anew. */
const PACE_STEP = 0.1;

/** Keeps the requests in flight within the limits of compute and memory. */
export class InFlight {
  private readonly requests = new Map<number, Pending>();
  /** Those that wait to be decoded. */
  private readonly waiting = new Set<Pending>();
  private readonly accounts: Accounts;
  private readonly pace = new Pace<WorkerSlot>();
  /** The pace with which the requests are counted. */
  private countedPace = 1;

  constructor(
    private readonly limits: Limits,
    private readonly memory: Memory,
    private readonly refuse: Refuse,
  ) {
    this.accounts = new Accounts(limits);
  }

  get size(): number {
    return this.requests.size;
  }

  get samples(): number {
    return this.accounts.load.samples;
  }

  /** Predicted compute of what is in flight, s. */
  get seconds(): number {
    return this.accounts.load.seconds;
  }

  /** The share of its exits that each model may use. */
  get share(): number {
    return exitShare(this.accounts.load);
  }

  /** A worker asks for the memory of a request, or knows its samples. */
  receive(slot: WorkerSlot, message: Extract<FromWorker, { type: 'claim' | 'decoded' }>): void {
    const request = this.requests.get(message.id);
    if (request?.slot !== slot) return;
    if (message.type === 'claim') this.claim(request, message.bytes, message.work);
    else this.decoded(request, message.work);
  }

  heldBy(slot: WorkerSlot): Pending[] {
    return [...this.requests.values()].filter((request) => request.slot === slot);
  }

  /** Those of a worker whose decoding has not ended for too long. */
  stuckIn(slot: WorkerSlot, now: number): Pending[] {
    return this.heldBy(slot).filter(
      ({ decodingSince: since }) => since !== undefined && isDecodingStuck(since, now),
    );
  }

  /** The requests that a stuck worker was working on: those of its last run, else the first that is not decoded yet. */
  suspects(slot: WorkerSlot, run: readonly number[]): Pending[] {
    const held = this.heldBy(slot);
    const running = held.filter(({ id }) => run.includes(id));
    return running.length > 0 ? running : held.filter(({ isDecoded }) => !isDecoded).slice(0, 1);
  }

  /**
   * Why a new request is refused; undefined where it is accepted.
   * @param deadlineMs from now to its deadline, ms
   */
  refusal(origin: Origin, samples: number, deadlineMs?: number): Problem | undefined {
    const secondsLeft = deadlineMs === undefined ? undefined : deadlineMs / 1000;
    return this.accounts.refusal(origin, undefined, this.estimate(origin, samples), secondsLeft);
  }

  /** Counts a request that is dispatched. @param samples as far as they are known */
  add(given: NewRequest, samples: number): Pending {
    const request: Pending = {
      ...given,
      cost: undefined,
      predicted: 0,
      claim: undefined,
      granted: 0,
      decodingSince: undefined,
      ahead: 0,
      isDecoded: false,
      repeated: false,
      told: new Map(),
    };
    this.requests.set(request.id, request);
    request.slot.requests++;
    this.count(request, this.estimate(request.origin, samples));
    this.pace.begin(request.slot, clock());
    return request;
  }

  /** Removes a request that is about to be settled. */
  take(id: number, isAnswered: boolean): Pending | undefined {
    const request = this.requests.get(id);
    if (!request) return undefined;
    this.requests.delete(id);
    request.slot.requests--;
    this.free(request);
    this.count(request, undefined);
    const isIdle = request.slot.requests === 0;
    this.pace.end(request.slot, clock(), isAnswered ? request.predicted : undefined, isIdle);
    this.followPace();
    this.grant();
    return request;
  }

  /** Counts all requests anew where the pace has changed: those that wait take as much longer as new ones. */
  private followPace(): void {
    const pace = this.pace.value;
    if (Math.abs(pace / this.countedPace - 1) < PACE_STEP) return;
    this.countedPace = pace;
    for (const request of this.requests.values()) {
      const { cost, origin, predicted } = request;
      if (!cost) continue;
      const { samples } = cost;
      const known = predicted > 0 ? { samples, seconds: predicted * pace } : undefined;
      this.count(request, known ?? this.estimate(origin, samples));
    }
  }

  /** A worker reports an exit. Those told before are left out: a request that is repeated starts from its beginning. */
  exited(slot: WorkerSlot, id: number, exit: TaskExit): void {
    const request = this.requests.get(id);
    if (request?.slot !== slot || exit.depth <= (request.told.get(exit.sample) ?? -1)) return;
    request.told.set(exit.sample, exit.depth);
    request.onExit?.(exit);
  }

  /** Moves a request to another worker, which starts from its beginning. */
  move(request: Pending, slot: WorkerSlot): void {
    const { cost } = request;
    this.free(request);
    this.count(request, undefined);
    request.slot.requests--;
    slot.requests++;
    Object.assign(request, { slot, isDecoded: false, repeated: true });
    this.count(request, cost);
    this.pace.begin(slot, clock());
  }

  /** A request asks to be decoded: it waits for its memory, or is refused. */
  private claim(request: Pending, bytes: number, work: Work | undefined): void {
    const refused =
      this.memory.refusal(bytes) ?? (work && this.refusalOf(request, this.costOf(work)));
    if (refused) {
      this.refuse(request.id, refused);
      return;
    }
    if (work) this.know(request, work);
    const now = clock();
    const timer =
      work?.deadline === undefined
        ? undefined
        : setTimeout(() => this.refuse(request.id, missedDeadline(1)), work.deadline - now).unref();
    request.claim = { bytes, since: now, ...(timer && { timer }) };
    this.waiting.add(request);
    this.grant();
  }

  /** The samples of a request are known: it is counted for what they cost, or refused. */
  private decoded(request: Pending, work: Work): void {
    this.accounts.learn(request.origin, { samples: work.samples, seconds: work.ms / 1000 });
    const isNew = request.predicted === 0;
    request.isDecoded = true;
    this.endDecoding(request);
    const refused = isNew ? this.refusalOf(request, this.costOf(work)) : undefined;
    if (refused) this.refuse(request.id, refused);
    else this.know(request, work);
    this.grant();
  }

  private refusalOf({ origin, cost }: Pending, actual: Cost): Problem | undefined {
    return this.accounts.refusal(origin, cost, actual);
  }

  private know(request: Pending, work: Work): void {
    request.predicted = work.ms / 1000;
    this.count(request, this.costOf(work));
  }

  private costOf({ samples, ms }: Work): Cost {
    return { samples, seconds: (ms / 1000) * this.countedPace };
  }

  private estimate(origin: Origin, samples: number): Cost {
    const guess = this.accounts.estimate(origin, samples);
    const seconds = guess.seconds * this.countedPace;
    return bounded({ ...guess, seconds }, samples, this.limits);
  }

  private count(request: Pending, cost: Cost | undefined): void {
    const { slot, origin } = request;
    this.accounts.count(origin, request.cost, cost);
    slot.pending += this.weight(cost) - this.weight(request.cost);
    request.cost = cost;
  }

  /** What a request counts for when the least loaded worker is looked for. */
  private weight(cost: Cost | undefined): number {
    if (!cost) return 0;
    return Math.min(cost.seconds, this.limits.seconds / 4) + cost.samples * 1e-6;
  }

  /** Lets waiting requests be decoded, as long as there is memory and a worker for one. */
  private grant(): void {
    while (this.waiting.size > 0) {
      const waiting = [...this.waiting].flatMap((request) => {
        const { slot, claim, origin } = request;
        const share = this.accounts.shareOf(origin.client);
        return claim ? [{ request, slot, ...claim, share }] : [];
      });
      const next = nextGrant(waiting, this.memory.free, clock());
      if (!next) return;
      const { request, slot, bytes } = next;
      this.endWaiting(request);
      request.granted = bytes;
      request.decodingSince = clock();
      request.ahead = countedAhead(request.cost?.seconds ?? 0);
      this.memory.grant(bytes);
      slot.decoding++;
      slot.ahead += request.ahead;
      slot.handle.post({ type: 'granted', id: request.id });
    }
  }

  private endDecoding(request: Pending): void {
    if (request.decodingSince === undefined) return;
    request.decodingSince = undefined;
    request.slot.decoding--;
  }

  private endWaiting(request: Pending): void {
    clearTimeout(request.claim?.timer);
    request.claim = undefined;
    this.waiting.delete(request);
  }

  /** Gives back what a request holds of its worker and of the memory. */
  private free(request: Pending): void {
    this.endDecoding(request);
    this.endWaiting(request);
    this.memory.release(request.granted);
    request.slot.ahead -= request.ahead;
    Object.assign(request, { granted: 0, ahead: 0 });
  }
}

/** Sends a request to its worker; where that is being restarted, `resend` does it later. */
export function dispatch({ slot, ask }: Pending): void {
  if (slot.alive) slot.handle.post(...ask());
}
