/** A worker's requests: decodes them, runs their samples and encodes the answers. */
import type { Bundle } from '../../bundle/read.ts';
import { clientLeft, Problem } from '../../errors.ts';
import { messageOf, stackOf } from '../../util/message-of.ts';
import { clock } from '../../util/clock.ts';
import { owned } from '../../util/owned.ts';
import type { WorkerLine } from '../transport/handle.ts';
import type { Measured, ToWorker, Work, WorkerOptions } from '../transport/messages.ts';
import { Outbox } from '../transport/outbox.ts';
import type {
  Admit,
  Claim,
  DecodedRequest,
  Decoder,
  ExitWatch,
  RunResult,
  TaskFiles,
} from '../types.ts';
import type { StoppingParameters } from '../../stopping/parameters.ts';
import { ExitReports } from './exits.ts';
import { Job } from './jobs.ts';
import { Loop } from './loop.ts';
import type { LoadedModel } from './models.ts';
import { Predictor } from './predictor.ts';
import { loadModels, openModel, type Loaded } from './providers.ts';
import { Shadows } from './shadows.ts';
import { Shelf, type ModelSet, type ShelfActions } from './shelf.ts';
import { Steps } from './steps.ts';
import { measurementsOf } from './warm-up.ts';

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
  const refusedNames = new Set(refused.map(({ name }) => name));
  const served = options.bundles.filter(({ manifest }) => !refusedNames.has(manifest.name));
  const open: ShelfActions['open'] = async (bundle, measured) => {
    // What was measured before the start is of the bundles that were there then.
    const known = options.bundles.includes(bundle) ? options.measured : measured && [measured];
    const model = await openModel(bundle, { ...options, provider, measured: known ?? [] });
    if (bundle.manifest.variants)
      line.post({ type: 'measured', ...generationOf(bundle), measured: measurementsOf(model) });
    return model;
  };
  const requests = new Requests(line, loaded.models, served, decode, open, options.shadowShare);
  line.onMessage((message) => requests.receive(message));
  line.post({ type: 'ready', provider, notes, refused, measured });
}

const generationOf = ({ generation }: Bundle): { readonly generation?: number } => ({
  ...(generation !== undefined && { generation }),
});

/** Predicted compute of a request that sends its messages with its answer, ms. */
const SHORT_MS = 2;

type Perform = Extract<ToWorker, { type: 'perform' }>;

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

  private readonly shelf: Shelf;

  constructor(
    private readonly line: WorkerLine,
    loaded: Loaded['models'],
    served: readonly Bundle[],
    private readonly decode: Decoder,
    open: ShelfActions['open'],
    shadowShare = 0,
  ) {
    this.outbox = new Outbox(line);
    this.shelf = new Shelf(loaded, served, {
      open,
      refuse: (refusal) => line.post({ type: 'refused', refusal }),
      release: (model) => this.loop.retire(model),
    });
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
        void this.settle(message.id, (models, chosen) => this.perform(message, models, chosen));
        break;
      case 'run':
        void this.settle(message.id, (models) => this.run(message, models));
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
      case 'open':
        void this.open(message.bundle, message.measured);
        break;
      case 'serve':
        this.shelf.serve(message.bundles);
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

  private async open(bundle: Bundle, measured: Measured | undefined): Promise<void> {
    const about = generationOf(bundle);
    try {
      const model = await this.shelf.prepare(bundle, measured);
      this.outbox.post({ type: 'opened', ...about, measured: measurementsOf(model) });
    } catch (error) {
      this.outbox.post({ type: 'unopened', ...about, reason: messageOf(error) });
    }
  }

  private async perform(
    message: Perform,
    models: ModelSet,
    chosen: (model: string) => void,
  ): Promise<void> {
    const { id, request, arrivedAt, traced } = message;
    const steps = traced ? new Steps(arrivedAt) : undefined;
    const beganAt = clock();
    const controller = new AbortController();
    this.decoding.set(id, controller);
    const files: TaskFiles = (model, file) => models.file(model, file);
    const { signal } = controller;
    const admit: Admit = (claim) => this.admit(id, models, claim, arrivedAt, signal);
    const decoded = await this.decode(request, models.manifests, files, signal, admit)
      .catch((error: unknown) => {
        throw signal.aborted ? clientLeft() : error;
      })
      .finally(() => this.decoding.delete(id));
    if (signal.aborted) throw clientLeft();
    steps?.ran('decode', beganAt, clock());
    chosen(decoded.model);
    const reports = decoded.exits && new ExitReports(this.outbox, id, decoded.exits.encode);
    const result = await this.enqueue(message, models, decoded, { watch: reports, steps });
    await reports?.posted();
    const encodedFrom = clock();
    const answer = await decoded.encode(result);
    steps?.ran('encode', encodedFrom, clock());
    const variants = variantsOf(result);
    const summary = {
      model: result.model,
      maxDepth: result.maxDepth,
      depths: result.samples.map(({ depth }) => depth),
      reasons: result.samples.map(({ reason }) => reason),
      ...(variants && { variants }),
      timing: result.timing,
      ...(steps && { steps: steps.all }),
    };
    const body = owned(answer.body);
    this.outbox.post({ type: 'answered', id, answer: { ...answer, body }, summary }, [body.buffer]);
  }

  /** Asks the engine for memory and a place to decode, and waits for them. */
  private async admit(
    id: number,
    models: ModelSet,
    { bytes, work }: Claim,
    arrivedAt: number,
    signal: AbortSignal,
  ): Promise<void> {
    const predicted = work && {
      samples: work.samples,
      ...this.predict(await models.model(work.model), work.elements, work.stopping, arrivedAt),
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

  private async run(message: Extract<ToWorker, { type: 'run' }>, models: ModelSet): Promise<void> {
    const result = await this.enqueue(message, models, message);
    this.outbox.post({ type: 'ran', id: message.id, result });
  }

  /** Does the work of a request on the present models, and reports where it fails. */
  private async settle(
    id: number,
    work: (models: ModelSet, chosen: (model: string) => void) => Promise<void>,
  ): Promise<void> {
    const models = this.shelf.take();
    let about: { readonly model?: string } = {};
    try {
      await work(models, (model) => (about = { model }));
    } catch (error) {
      const [code, detail] =
        error instanceof Problem
          ? [error.code, error.message]
          : ['internal' as const, stackOf(error)];
      this.outbox.post({ type: 'failed', id, code, detail, ...about });
    } finally {
      this.jobs.delete(id);
      this.opening.delete(id);
      this.shelf.giveBack(models);
      this.outbox.release();
    }
  }

  private async enqueue(
    { id, arrivedAt }: Pick<Perform, 'id' | 'arrivedAt'>,
    models: ModelSet,
    { model: name, samples, stopping, ...image }: Omit<DecodedRequest, 'exits' | 'encode'>,
    { watch, steps }: { watch?: ExitWatch | undefined; steps?: Steps | undefined } = {},
  ): Promise<RunResult> {
    this.opening.add(id);
    const model = await models.model(name);
    if (!this.opening.delete(id)) throw clientLeft();
    const isDrawn = this.shadows.draws(id);
    const { collect, ...drawn } = image;
    // A shadow run compares the outputs.
    const job = new Job(id, model, samples, stopping, arrivedAt, watch, isDrawn ? drawn : image);
    job.steps = steps;
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
    this.predictor.observe(model.manifest, depths, variantsOf(result));
    if (isDrawn) {
      this.shadows.take(model, samples, result);
      result.samples.forEach((sample, index) => collect?.(index, sample));
    }
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

/** The variants of an answer's samples; undefined where the model has none. */
function variantsOf({ samples }: RunResult): string[] | undefined {
  const variants = samples.flatMap(({ variant }) => variant ?? []);
  return variants.length > 0 ? variants : undefined;
}
