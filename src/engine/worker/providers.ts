/** Loads the bundles on the execution provider that was asked for, or on the fastest. */
import { access } from 'node:fs/promises';
import { FLOAT } from '../../bundle/manifest.ts';
import { checkFiles, type Bundle, type Refusal } from '../../bundle/read.ts';
import {
  providerLoadError,
  providers,
  requireProvider,
  type Provider,
} from '../../runtime/session.ts';
import { messageOf } from '../../util/message-of.ts';
import type { Measured, WorkerOptions } from '../transport/messages.ts';
import { checkModel, loadModel, releaseModel, type LoadedModel } from './models.ts';
import { AUTO, declineReason } from './variants.ts';
import { measurementsOf, timePath, warmUp } from './warm-up.ts';

/** The models that a worker serves, all on one execution provider. */
export interface Loaded {
  readonly provider: Provider;
  readonly models: ReadonlyMap<string, LoadedModel>;
  readonly refused: readonly Refusal[];
  /** What the warm-ups have measured. */
  readonly measured: readonly Measured[];
  /** Which providers were tried and which was chosen, for the log. */
  readonly notes: readonly string[];
}

/** How bundles are loaded, as the worker was told. */
type Options<P = Provider> = Omit<WorkerOptions, 'provider' | 'bundles'> & { readonly provider: P };

/**
 * Loads every bundle that is not opened on first use on `provider`; with `auto`, on the provider that takes least time for one sample of each model.
 * @throws an error that says what is missing where the named provider is unavailable
 */
export async function loadModels(options: WorkerOptions): Promise<Loaded> {
  const { bundles, provider } = options;
  if (provider === 'auto') return loadOnFastest(bundles, options);
  await requireProvider(provider, 'EXECUTION_PROVIDER=cpu');
  return loadOn(bundles, { ...options, provider });
}

/**
 * Opens a bundle and warms it up. Its files are checked again: they may have changed since the start, on first use and where a
 * worker is restarted.
 * @throws an error that names the file at fault
 */
export async function openModel(
  bundle: Bundle,
  { provider, threads, regroup, measured, variants = FLOAT }: Options,
): Promise<LoadedModel> {
  await checkFiles(bundle.directory, bundle.manifest);
  const known = measured?.find((one) => one.model === bundle.manifest.name);
  const isForced = variants !== AUTO;
  const loaded = isForced ? withoutRanges(bundle) : bundle;
  const model = await loadModel(loaded, provider, threads, (variant) =>
    declineReason(variant, provider, variants, known),
  );
  try {
    // Once more: had the folder been replaced in between, other bytes would be loaded than were checked.
    await checkFiles(bundle.directory, bundle.manifest);
    await warmUp(model, provider === 'cpu' && regroup, known, isForced);
  } catch (error) {
    await releaseModel(model);
    throw error;
  }
  return model;
}

/** The bundle with variants that may be used whatever the statistic is. */
function withoutRanges({ manifest, ...bundle }: Bundle): Bundle {
  const variants = manifest.variants?.map((variant) => ({ ...variant, statistic: {} }));
  return { ...bundle, manifest: { ...manifest, ...(variants && { variants }) } };
}

async function loadOnFastest(
  bundles: readonly Bundle[],
  options: Omit<WorkerOptions, 'provider'>,
): Promise<Loaded> {
  // Always available, and taken where every provider fails, so that its refusals are reported.
  let best = await loadOn(bundles, { ...options, provider: 'cpu' });
  let bestMs = await timeAll(best.models);
  const notes = [timeNote('cpu', bestMs)];
  for (const candidate of providers.filter((name) => name !== 'cpu')) {
    const unavailable = await unavailableReason(candidate);
    if (unavailable !== undefined) {
      notes.push(`${candidate} is unavailable: ${unavailable}`);
      continue;
    }
    const loaded = await loadOn(bundles, { ...options, provider: candidate });
    const [refusal] = loaded.refused;
    if (loaded.models.size === 0 && refusal) {
      notes.push(`${candidate} loads no model: ${refusal.reason}`);
      continue;
    }
    const ms = await timeAll(loaded.models);
    notes.push(timeNote(candidate, ms));
    const isFaster = ms < bestMs;
    const slower = isFaster ? best : loaded;
    for (const model of slower.models.values()) await releaseModel(model);
    if (isFaster) [best, bestMs] = [loaded, ms];
  }
  return { ...best, notes: [...notes, `using the ${best.provider} provider`, ...best.notes] };
}

const timeNote = (provider: Provider, ms: number): string =>
  Number.isFinite(ms)
    ? `${provider} takes ${ms.toFixed(1)} ms for one sample of each model`
    : `${provider} loads no model`;

async function loadOn(bundles: readonly Bundle[], options: Options): Promise<Loaded> {
  const models = new Map<string, LoadedModel>();
  const refused: Refusal[] = [];
  for (const bundle of bundles) {
    const { name } = bundle.manifest;
    try {
      if (options.onFirstUse?.includes(name)) await checkModel(bundle);
      else models.set(name, await openModel(bundle, options));
    } catch (error) {
      refused.push({ name, reason: messageOf(error) });
    }
  }
  const measured = [...models.values()].map(measurementsOf);
  const notes = [...models].flatMap(([model, { declined }]) =>
    declined.map(({ name, reason }) => `${model} does not use its variant ${name}: ${reason}`),
  );
  return { provider: options.provider, models, measured, refused, notes };
}

/** Time for one sample of each model at full depth, ms; none where no model loads. */
async function timeAll(models: ReadonlyMap<string, LoadedModel>): Promise<number> {
  if (models.size === 0) return Number.POSITIVE_INFINITY;
  let sum = 0;
  for (const model of models.values()) sum += await timePath(model);
  return sum;
}

/** Device files of GPUs: NVIDIA's, that of WSL, and on Linux the first render node. */
const CUDA_DEVICES = ['/dev/nvidia0', '/dev/dxg'];
const WEBGPU_DEVICES = ['/dev/dri/renderD128', ...CUDA_DEVICES];

/**
 * Why `auto` does not try a provider; undefined where it does. On Linux it looks for a GPU first, so that a software
 * adapter is never taken for one.
 */
export async function unavailableReason(provider: Provider): Promise<string | undefined> {
  if (provider === 'cpu') return undefined;
  if (process.platform === 'linux') {
    const devices = provider === 'cuda' ? CUDA_DEVICES : WEBGPU_DEVICES;
    const found = await Promise.all(devices.map(exists));
    return found.includes(true) ? providerLoadError(provider) : 'no GPU was found';
  }
  if (provider === 'cuda' && process.platform !== 'win32')
    return 'CUDA is not supported on this system';
  return providerLoadError(provider);
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
