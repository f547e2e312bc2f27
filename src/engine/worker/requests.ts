/** A worker's requests: decodes them, runs their samples and encodes the answers. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clientLeft, Problem } from '../../errors.ts';
import { messageOf } from '../../util/message-of.ts';
import { owned } from '../../util/owned.ts';
import type { WorkerLine } from '../transport/handle.ts';
import type { ToWorker, Work, WorkerOptions } from '../transport/messages.ts';
import { Outbox } from '../transport/outbox.ts';
import type { Admit, Claim, Decoder, RunResult, Sample, TaskFiles } from '../types.ts';
import type { StoppingParameters } from '../../stopping/parameters.ts';
import { ExitReports } from './exits.ts';
import { Job, type ExitWatch } from './jobs.ts';
import { Loop } from './loop.ts';
import type { LoadedModel } from './models.ts';
import { Predictor } from './predictor.ts';
import { loadModels, openModel, type Loaded } from './providers.ts';
import { Shadows } from './shadows.ts';
import { Shelf } from './shelf.ts';

/** Loads the models and serves requests until told to close. Where no model can be loaded it reports `unfit` and ends. */
export async function serve(
  line: WorkerLine,
  options: WorkerOptions,
  decode: Decoder,
): Promise<void> {
  let loaded: Loaded;
  try {
    loaded = await loadModels(options);
  } catch (error) {
    line.post({ type: 'unfit', reason: messageOf(error) });
    line.close();
    return;
  }
  const { provider, notes, refused, measured } = loaded;
  const shelf = new Shelf(
    loaded.models,
    loaded.unopened,
    (bundle) => openModel(bundle, { ...options, provider }),
    (refusal) => line.post({ type: 'refused', refusal }),
  );
  const requests = new Requests(line, shelf, decode, options.shadowShare ?? 0);
  line.onMessage((message) => requests.receive(message));
  line.post({ type: 'ready', provider, notes, refused, measured });
}

/** Predicted compute of a request that sends its messages with its answer, ms. */
const SHORT_MS = 2;

class Requests {
  private readonly loop: Loop;
  private readonly outbox: Outbox;
  private readonly predictor = new Predictor();
  private readonly shadows: Shadows;
  private readonly jobs = new Map<number, Job>();
  /** Of the requests being decoded. */
  private readonly decoding = new Map<number, AbortController>();
  /** Requests that wait for their model to be opened; one that is cancelled is taken out. */
  private readonly opening = new Set<number>();
  /** Ends the wait of a request that asked to be decoded. */
  private readonly grants = new Map<number, () => void>();

  constructor(
    private readonly line: WorkerLine,
    private readonly models: Shelf,
    private readonly decode: Decoder,
    shadowShare: number,
  ) {
    this.outbox = new Outbox(line);
    this.loop = new Loop(
      (runs) => this.outbox.post({ type: 'segments', runs }),
      (ids, ms) => this.outbox.post({ type: 'running', ids, ms }),
    );
    this.shadows = new Shadows(
      shadowShare,
      (job) => this.loop.add(job),
      (report) => this.outbox.post({ type: 'shadow', ...report }),
    );
  }

  receive(message: ToWorker): void {
    this.outbox.release();
    switch (message.type) {
      case 'perform':
        void this.settle(message.id, this.perform(message.id, message.request, message.arrivedAt));
        break;
      case 'run':
        void this.settle(
          message.id,
          this.run(message.id, message.model, message.samples, message.stopping, message.arrivedAt),
        );
        break;
      case 'cancel':
        this.cancel(message.id);
        break;
      case 'cap':
        this.loop.share = message.share;
        break;
      case 'granted':
        this.grants.get(message.id)?.();
        break;
      case 'ping':
        this.outbox.post({ type: 'pong' });
        break;
      case 'close':
        this.loop.dropIdle();
        this.outbox.flush();
        this.line.close();
        break;
    }
  }

  private async perform(id: number, request: unknown, arrivedAt: number): Promise<void> {
    const controller = new AbortController();
    this.decoding.set(id, controller);
    const files: TaskFiles = (model, file) => readFile(join(this.models.directory(model), file));
    const { signal } = controller;
    const admit: Admit = (claim) => this.admit(id, claim, arrivedAt, signal);
    const decoded = await this.decode(request, this.models.manifests, files, signal, admit)
      .catch((error: unknown) => {
        throw signal.aborted ? clientLeft() : error;
      })
      .finally(() => this.decoding.delete(id));
    if (signal.aborted) throw clientLeft();
    const reports = decoded.exits && new ExitReports(this.outbox, id, decoded.exits.encode);
    const result = await this.enqueue(
      id,
      decoded.model,
      decoded.samples,
      decoded.stopping,
      arrivedAt,
      reports,
    );
    await reports?.posted();
    const answer = await decoded.encode(result);
    const summary = {
      model: result.model,
      maxDepth: result.maxDepth,
      depths: result.samples.map(({ depth }) => depth),
      reasons: result.samples.map(({ reason }) => reason),
      timing: result.timing,
    };
    const body = owned(answer.body);
    this.outbox.post({ type: 'answered', id, answer: { ...answer, body }, summary }, [body.buffer]);
  }

  /** Asks the engine for memory and a place to decode, and waits for them. */
  private async admit(
    id: number,
    { bytes, work }: Claim,
    arrivedAt: number,
    signal: AbortSignal,
  ): Promise<void> {
    const predicted = work && {
      samples: work.samples,
      ...this.predict(await this.models.model(work.model), work.elements, work.stopping, arrivedAt),
    };
    this.outbox.post({ type: 'claim', id, bytes, ...(predicted && { work: predicted }) });
    await new Promise<void>((resolve, reject) => {
      if (signal.aborted) reject(clientLeft());
      signal.addEventListener('abort', () => reject(clientLeft()), { once: true });
      this.grants.set(id, resolve);
    }).finally(() => this.grants.delete(id));
  }

  private predict(
    model: LoadedModel,
    elements: number,
    stopping: StoppingParameters,
    arrivedAt: number,
  ): Omit<Work, 'samples'> {
    const { deadlineMs } = stopping;
    return {
      ms: this.predictor.ms(model, elements, stopping, this.loop.capFor(model)),
      ...(deadlineMs !== undefined && { deadline: arrivedAt + deadlineMs }),
    };
  }

  private async run(
    id: number,
    model: string,
    samples: readonly Sample[],
    stopping: StoppingParameters,
    arrivedAt: number,
  ): Promise<void> {
    this.outbox.post({
      type: 'ran',
      id,
      result: await this.enqueue(id, model, samples, stopping, arrivedAt),
    });
  }

  private async settle(id: number, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      const [code, detail] =
        error instanceof Problem
          ? [error.code, error.message]
          : ['internal' as const, stackOf(error)];
      this.outbox.post({ type: 'failed', id, code, detail });
    } finally {
      this.jobs.delete(id);
      this.opening.delete(id);
      this.outbox.release();
    }
  }

  private async enqueue(
    id: number,
    name: string,
    samples: readonly Sample[],
    stopping: StoppingParameters,
    arrivedAt: number,
    watch?: ExitWatch,
  ): Promise<RunResult> {
    this.opening.add(id);
    const model = await this.models.model(name);
    if (!this.opening.delete(id)) throw clientLeft();
    const job = new Job(id, model, samples, stopping, arrivedAt, watch);
    const elements = job.items.reduce((sum, item) => sum + item.elements, 0);
    const work = {
      samples: samples.length,
      ...this.predict(model, elements, stopping, arrivedAt),
    };
    // A short request that is alone sends these messages with its answer.
    const isAlone = this.jobs.size === 0 && this.decoding.size === 0 && !watch;
    if (isAlone && work.ms < SHORT_MS) this.outbox.hold();
    this.outbox.post({ type: 'decoded', id, work });
    this.jobs.set(id, job);
    this.loop.add(job);
    const result = await job.result;
    const depths = result.samples.map(({ depth }) => depth);
    this.predictor.observe(model.manifest, depths);
    if (this.shadows.draws(id)) this.shadows.take(model, samples, result);
    return result;
  }

  private cancel(id: number): void {
    this.decoding.get(id)?.abort();
    this.opening.delete(id);
    const job = this.jobs.get(id);
    if (!job) return;
    job.fail(clientLeft());
    this.loop.remove(job);
  }
}

/** For the log; a caller sees no more than `internal`. */
const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
