/** A request in flight, as the engine keeps it. */
import type { Origin } from './accounts.ts';
import type { Cost } from './admission.ts';
import type { WorkerSlot } from './supervisor.ts';
import type { FromWorker, ToWorker } from './transport/messages.ts';
import type { TaskExit } from './types.ts';

/** A request that was dispatched and is not yet answered. */
export interface Pending {
  readonly id: number;
  readonly origin: Origin;
  slot: WorkerSlot;
  /** What it is counted for; undefined before it is counted and once it is settled. */
  cost: Cost | undefined;
  /** Predicted compute before the pace is taken into account, s; 0 while it is not known. */
  predicted: number;
  /** While it waits to be decoded: the memory it needs, since when, and what refuses it at its deadline. */
  claim:
    { readonly bytes: number; readonly since: number; readonly timer?: NodeJS.Timeout } | undefined;
  /** Memory that it was granted, bytes. */
  granted: number;
  /** Since when it is being decoded after a grant; a time of `clock()`. */
  decodingSince: number | undefined;
  /** What it counts for in the work its worker has ahead, s. */
  ahead: number;
  /** Whether its samples are known to the worker. */
  isDecoded: boolean;
  /** Whether a worker has already ended while it held this request. */
  repeated: boolean;
  /** Makes the message for the worker, and the buffers that may be transferred with it. */
  readonly ask: () => readonly [message: ToWorker, transfer: readonly ArrayBuffer[]];
  /** Is told of the exits that its samples reach. */
  readonly onExit?: ((exit: TaskExit) => void) | undefined;
  /** The last depth that was reported to `onExit`, by sample. */
  readonly told: Map<number, number>;
  resolve(message: FromWorker): void;
  reject(error: unknown): void;
}

/** What only the sender knows of a new request. */
export type NewRequest = Pick<
  Pending,
  'id' | 'origin' | 'slot' | 'ask' | 'onExit' | 'resolve' | 'reject'
>;
