/** Sends what a worker says within one turn of its event loop as one message: each message wakes the other thread. */
import type { WorkerLine } from './handle.ts';
import type { FromWorker, Several } from './messages.ts';

/** A worker's messages on their way to the engine, in order. */
export class Outbox {
  private messages: FromWorker[] = [];
  private transfer: ArrayBuffer[] = [];
  private held = false;
  private isScheduled = false;

  constructor(private readonly line: Pick<WorkerLine, 'post'>) {}

  /** Queues a message; it leaves at the end of this turn, before the next run begins, or when what is held leaves. */
  post(message: FromWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.messages.push(message);
    this.transfer.push(...transfer);
    if (this.held || this.isScheduled) return;
    this.isScheduled = true;
    // ONNX Runtime waits for an immediate before it blocks, and this one comes first.
    setImmediate(() => this.flush());
  }

  /** Keeps messages back until `release`: for a run so short that its answer can take them along. */
  hold(): void {
    this.held = true;
  }

  /** Lets what was kept back leave at the end of this turn. */
  release(): void {
    if (!this.held) return;
    this.held = false;
    if (this.messages.length === 0 || this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => this.flush());
  }

  /** Sends what is queued at once. */
  flush(): void {
    this.isScheduled = false;
    const { messages, transfer } = this;
    const [first] = messages;
    if (!first || this.held) return;
    this.messages = [];
    this.transfer = [];
    this.line.post(messages.length === 1 ? first : { type: 'several', messages }, transfer);
  }
}

/** The messages of what arrived, in order. */
export const unpacked = (arrived: FromWorker | Several): readonly FromWorker[] =>
  arrived.type === 'several' ? arrived.messages : [arrived];
