/** Starts the workers of an engine: the first picks the provider and refuses bundles, the others follow it. */
import { availableParallelism } from 'node:os';
import { loadBundles, type Bundle, type CheckBundle, type Refusal } from '../bundle/read.ts';
import type { Provider } from '../runtime/session.ts';
import { startAll } from './supervisor.ts';
import type { Limits } from './admission.ts';
import type { Isolation, WorkerHandle } from './transport/handle.ts';
import type { Measured, SegmentRun, ShadowReport } from './transport/messages.ts';
import { startWorker } from './transport/start.ts';

const MAX_PENDING = 1024;
export const MAX_MEMORY_BYTES = 2 ** 30;

/** Which models an engine serves, and how its workers run them. */
export interface EngineOptions {
  readonly modelsDir: string;
  /** The module that workers run; it calls `serveEngine`. */
  readonly entry: URL;
  /** Checks a bundle beyond its schema; throws a sentence where it is to be refused. */
  readonly check?: CheckBundle;
  /** Serve only the models with these names. */
  readonly only?: readonly string[];
  /** Passed to the tasks in the workers; plain data. */
  readonly settings?: unknown;
  readonly provider?: Provider | 'auto';
  /** Default: one per `threads` cores. A GPU provider always has one. */
  readonly workers?: number;
  /** Threads within one operator, per worker. */
  readonly threads?: number;
  /** Workers as threads or as child processes; default: threads. */
  readonly isolation?: Isolation;
  /** Limit on the samples in flight. A single larger request is accepted while nothing else is in flight. */
  readonly maxPending?: number;
  /** Limit on the predicted compute in flight for each worker, s; default: none. */
  readonly maxQueueSeconds?: number;
  /** Limit on the memory that requests hold together, bytes; default: 1 GiB. */
  readonly maxMemoryBytes?: number;
  /** Lower the depth under load, before requests are refused. */
  readonly shed?: boolean;
  /** The share of requests whose early answers are compared with full depth in idle time; default: 0. */
  readonly shadowShare?: number;
  /** Batch samples of different requests where that is faster. */
  readonly regroup?: boolean;
  /**
   * Which numeric forms may run: `float` alone, the default; `auto`, those that are in their range and faster than float here;
   * or the name of one, which then runs always, for measuring it.
   */
  readonly variants?: string;
  /** Serve as soon as one worker is ready, while the others start; default: wait for all. */
  readonly serveWithOne?: boolean;
  /** Open the sessions of bundles that are not a default with their first request; default: all at start. */
  readonly openOnFirstUse?: boolean;
  log?: (message: string) => void;
}

/** Measurements and events, reported while requests run. */
export interface EngineEvents {
  segment: (run: SegmentRun) => void;
  /** A shadow run ended, or was dropped. */
  shadow: (report: ShadowReport) => void;
  /** A thread is stuck and cannot be ended: the process should drain and be replaced. */
  stuck: () => void;
  /** A worker that ended unasked was replaced. */
  restarted: () => void;
}

/** What a worker has to serve, and what warm-ups have measured of it. */
export interface Present {
  readonly bundles: readonly Bundle[];
  readonly measured: readonly Measured[];
}

/** The workers that were started, and what they serve. */
export interface Pool extends Present {
  readonly handles: readonly WorkerHandle[];
  /** Workers that are still to be started. */
  readonly missing: number;
  /** Starts one more worker. */
  readonly start: (present: Present) => Promise<WorkerHandle>;
  readonly provider: Provider;
  readonly refused: readonly Refusal[];
}

/**
 * Reads the bundles and starts the workers.
 * @throws an error with the reason where a worker cannot start; the others are closed first
 */
export async function startPool(options: EngineOptions): Promise<Pool> {
  const { modelsDir, entry, settings, only, isolation = 'thread' } = options;
  const { provider = 'auto', threads = 1, regroup = true, shadowShare, variants, log } = options;
  const found = await loadBundles(modelsDir, options.check);
  const all = found.bundles.filter(({ manifest }) => only?.includes(manifest.name) ?? true);
  const bundles = withDefaults(all, log);
  const common = {
    ...{ threads, regroup },
    ...(shadowShare && { shadowShare }),
    ...(variants !== undefined && { variants }),
  };
  const onFirstUse = (served: readonly Bundle[]): string[] =>
    options.openOnFirstUse ? notDefault(served) : [];
  const first = await startWorker(isolation, entry, {
    options: { ...common, bundles, provider, onFirstUse: onFirstUse(bundles) },
    settings,
  });
  const { ready } = first;
  ready.notes.forEach((note) => log?.(note));
  const refused = [...found.refused, ...ready.refused];
  for (const { name, reason } of refused) log?.(`the model ${name} is refused: ${reason}`);
  const refusedNames = new Set(refused.map(({ name }) => name));
  const served = all.filter(({ manifest }) => !refusedNames.has(manifest.name));
  const perCore = Math.max(1, Math.floor(availableParallelism() / threads));
  const count = ready.provider === 'cpu' ? (options.workers ?? perCore) : 1;
  const start = async (present: Present): Promise<WorkerHandle> => {
    const opened = { ...common, provider: ready.provider, onFirstUse: onFirstUse(present.bundles) };
    const workerOptions = { ...opened, ...present };
    return (await startWorker(isolation, entry, { options: workerOptions, settings })).handle;
  };
  const { measured } = ready;
  const missing = options.serveWithOne ? count - 1 : 0;
  const handles = await startAll([first.handle], count - 1 - missing, () =>
    start({ bundles: withDefaults(served), measured }),
  );
  return { handles, missing, start, provider: ready.provider, bundles: served, measured, refused };
}

/** What the workers of a pool may hold together. */
export const limitsOf = (
  { maxPending = MAX_PENDING, maxQueueSeconds = Number.POSITIVE_INFINITY }: EngineOptions,
  { handles, missing }: Pool,
): Limits => {
  const workers = handles.length + missing;
  return { samples: maxPending, seconds: maxQueueSeconds * workers, workers };
};

/** Lists and logs a bundle that its first request could not open; each worker finds out for itself. */
export function addRefusal(
  refused: Refusal[],
  refusal: Refusal,
  log?: (message: string) => void,
): void {
  const { name, reason } = refusal;
  if (refused.some((one) => one.name === name)) return;
  refused.push(refusal);
  log?.(`the model ${name} is refused: ${reason}`);
}

/** Names of the bundles that no request means that names no model: not the default of their task, nor the only one. */
function notDefault(bundles: readonly Bundle[]): string[] {
  const all = bundles.map(({ manifest }) => manifest);
  return all
    .filter(({ task, default: isDefault }) => {
      const others = all.filter((one) => one.task === task);
      return !isDefault && others.length > 1;
    })
    .map(({ name }) => name);
}

/** Of several defaults for the same task and inputs the first one counts; the others are none while it is there. */
export function withDefaults(
  bundles: readonly Bundle[],
  log?: (message: string) => void,
): Bundle[] {
  const taken = new Map<string, string>();
  return bundles.map((bundle) => {
    const { name, task, inputs, default: isDefault } = bundle.manifest;
    if (!isDefault) return bundle;
    const place = JSON.stringify([task, inputs.map(({ shape }) => shape)]);
    const before = taken.get(place);
    if (before === undefined) {
      taken.set(place, name);
      return bundle;
    }
    log?.(`${name} is no default, because ${before} is one for the same inputs`);
    return { ...bundle, manifest: { ...bundle.manifest, default: false } };
  });
}
