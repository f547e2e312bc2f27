/** A worker's requests: decodes them, runs their samples and encodes the answers. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clientLeft, Problem } from '../../errors.ts';
import { messageOf } from '../../util/message-of.ts';
import { owned } from '../../util/owned.ts';
import type { WorkerLine } from '../transport/handle.ts';
import type { ToWorker, Work, WorkerOptions } from '../transport/messages.ts';
import type { Admit, Claim, Decoder, RunResult, Sample, TaskFiles } from '../types.ts';
import type { StoppingParameters } from '../../stopping/parameters.ts';
import { ExitReports } from './exits.ts';
import { Job, type ExitWatch } from './jobs.ts';
import { Loop } from './loop.ts';
import type { LoadedModel } from './models.ts';
import { Predictor } from './predictor.ts';
import { loadModels, type Loaded } from './providers.ts';

/** Loads the models and serves requests until told to close. Where no model can be loaded it reports `unfit` and ends. */
export async function serve(
  line: WorkerLine,
  options: WorkerOptions,
  decode: Decoder,
): Promise<void> {
  let loaded: Loaded;
  try {
    loaded = await loadModels(options.bundles, options.provider, options.threads, options.regroup);
  } catch (error) {
    line.post({ type: 'unfit', reason: messageOf(error) });
    line.close();
    return;
  }
  const requests = new Requests(line, loaded.models, decode);
  line.onMessage((message) => requests.receive(message));
  const { provider, notes, refused } = loaded;
  line.post({ type: 'ready', provider, notes, refused });
}

class Requests {
  private readonly loop: Loop;
  private readonly predictor = new Predictor();
  private readonly jobs = new Map<number, Job>();
  /** Of the requests being decoded. */
  private readonly decoding = new Map<number, AbortController>();
  /** Ends the wait of a request that asked to be decoded. */
  private readonly grants = new Map<number, () => void>();

  constructor(
    private readonly line: WorkerLine,
    private readonly models: ReadonlyMap<string, LoadedModel>,
    private readonly decode: Decoder,
  ) {
    this.loop = new Loop(
      (runs) => line.post({ type: 'segments', runs }),
      (ids, ms) => line.post({ type: 'running', ids, ms }),
    );
  }

  receive(message: ToWorker): void {
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
        this.line.post({ type: 'pong' });
        break;
      case 'close':
        this.line.close();
        break;
    }
  }

  private async perform(id: number, request: unknown, arrivedAt: number): Promise<void> {
    const controller = new AbortController();
    this.decoding.set(id, controller);
    const manifests = new Map([...this.models].map(([name, { manifest }]) => [name, manifest]));
    const files: TaskFiles = (model, file) =>
      readFile(join(this.modelNamed(model).directory, file));
    const { signal } = controller;
    const admit: Admit = (claim) => this.admit(id, claim, arrivedAt, signal);
    const decoded = await this.decode(request, manifests, files, signal, admit)
      .catch((error: unknown) => {
        throw signal.aborted ? clientLeft() : error;
      })
      .finally(() => this.decoding.delete(id));
    if (signal.aborted) throw clientLeft();
    const reports = decoded.exits && new ExitReports(this.line, id, decoded.exits.encode);
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
    this.line.post({ type: 'answered', id, answer: { ...answer, body }, summary }, [body.buffer]);
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
      ...this.predict(this.modelNamed(work.model), work.elements, work.stopping, arrivedAt),
    };
    this.line.post({ type: 'claim', id, bytes, ...(predicted && { work: predicted }) });
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
    this.line.post({
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
      this.line.post({ type: 'failed', id, code, detail });
    } finally {
      this.jobs.delete(id);
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
    const model = this.modelNamed(name);
    const job = new Job(id, model, samples, stopping, arrivedAt, watch);
    const elements = job.items.reduce((sum, item) => sum + item.elements, 0);
    const work = {
      samples: samples.length,
      ...this.predict(model, elements, stopping, arrivedAt),
    };
    this.line.post({ type: 'decoded', id, work });
    this.jobs.set(id, job);
    this.loop.add(job);
    const result = await job.result;
    const depths = result.samples.map(({ depth }) => depth);
    this.predictor.observe(model.manifest, depths);
    return result;
  }

  private modelNamed(name: string): LoadedModel {
    const model = this.models.get(name);
    if (model) return model;
    const names = [...this.models.keys()].join(', ');
    throw new Problem('unknown-model', `There is no model ${name}; the models are ${names}.`);
  }

  private cancel(id: number): void {
    this.decoding.get(id)?.abort();
    const job = this.jobs.get(id);
    if (!job) return;
    job.fail(clientLeft());
    this.loop.remove(job);
  }
}

/** For the log; a caller sees no more than `internal`. */
const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
