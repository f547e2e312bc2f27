/** What the first runs tell: which provider is fastest, and how large a batch pays at which segment. */
import { access } from 'node:fs/promises';
import { parseDimension } from '../../bundle/shape.ts';
import type { Manifest } from '../../bundle/manifest.ts';
import type { Bundle, Refusal } from '../../bundle/read.ts';
import { requireProvider, whyAbsent, type Provider } from '../../runtime/session.ts';
import { readOut, runSegment, runWhole } from './executor.ts';
import { Job, type Item } from './jobs.ts';
import { clock } from '../../util/clock.ts';
import { loadModel, releaseModel, type LoadedModel, type LoadedSegment } from './models.ts';
import type { Sample } from '../types.ts';

/** The number that symbols stand for in a warm-up. */
const SYMBOL = 32;
const BATCHES = [1, 4, 16, 64];
/** A larger batch pays where a sample takes less than this share of its time in the best smaller one. */
const PAYS = 0.9;

export interface Loaded {
  readonly provider: Provider;
  readonly models: ReadonlyMap<string, LoadedModel>;
  readonly refused: readonly Refusal[];
  /** What was taken and why, for the log. */
  readonly notes: readonly string[];
}

/** Loads every bundle on the provider asked for, or on the fastest. */
export async function loadModels(
  bundles: readonly Bundle[],
  provider: Provider | 'auto',
  threads: number,
  regroup: boolean,
): Promise<Loaded> {
  if (provider !== 'auto') {
    await requireProvider(provider, 'EXECUTION_PROVIDER=cpu');
    return loadOn(bundles, provider, threads, regroup);
  }
  const notes: string[] = [];
  let best: { loaded: Loaded; ms: number } | undefined;
  for (const candidate of ['cpu', 'webgpu', 'cuda'] as const) {
    const absent = await whyNotWorth(candidate);
    if (absent !== undefined) {
      notes.push(`${candidate} was not tried: ${absent}`);
      continue;
    }
    const loaded = await loadOn(bundles, candidate, threads, regroup);
    if (loaded.models.size === 0 && bundles.length > 0) {
      notes.push(`${candidate} was not taken: ${loaded.refused[0]!.reason}`);
      best ??= { loaded, ms: Number.POSITIVE_INFINITY };
      continue;
    }
    const ms = await timeAll(loaded.models);
    notes.push(`${candidate} takes ${ms.toFixed(1)} ms for a sample of each model`);
    if (!best || ms < best.ms) {
      for (const model of best?.loaded.models.values() ?? []) await releaseModel(model);
      best = { loaded, ms };
    } else for (const model of loaded.models.values()) await releaseModel(model);
  }
  const { loaded } = best!;
  return { ...loaded, notes: [...notes, `${loaded.provider} was taken`] };
}

async function loadOn(
  bundles: readonly Bundle[],
  provider: Provider,
  threads: number,
  regroup: boolean,
): Promise<Loaded> {
  const models = new Map<string, LoadedModel>();
  const refused: Refusal[] = [];
  for (const bundle of bundles) {
    const { name } = bundle.manifest;
    try {
      const model = await loadModel(bundle, provider, threads);
      await warmUp(model, provider === 'cpu' && regroup);
      models.set(name, model);
    } catch (error) {
      refused.push({ name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { provider, models, refused, notes: [] };
}

/** Why a provider cannot be worth trying here; undefined where it may be. A software adapter is never taken. */
export async function whyNotWorth(provider: Provider): Promise<string | undefined> {
  if (provider === 'cpu') return undefined;
  const devices =
    provider === 'cuda'
      ? ['/dev/nvidia0', '/dev/dxg']
      : ['/dev/dri/renderD128', '/dev/nvidia0', '/dev/dxg'];
  if (process.platform !== 'linux')
    return provider === 'cuda' && process.platform !== 'win32'
      ? 'there is no CUDA on this system'
      : whyAbsent(provider);
  for (const device of devices) {
    const there = await access(device).then(
      () => true,
      () => false,
    );
    if (there) return whyAbsent(provider);
  }
  return 'there is no GPU';
}

/** Whether one sample is faster in one graph than segment by segment, the shortest of five runs to full depth each. */
async function weighPath(model: LoadedModel): Promise<void> {
  const { path, manifest } = model;
  if (!path) return;
  const times: { whole: number[]; steps: number[] } = { whole: [], steps: [] };
  for (let i = 0; i <= 5; i++) {
    const start = clock();
    const job = new Job(
      0,
      model,
      [syntheticSample(manifest.inputs)],
      { rule: 'fixed', depth: manifest.depth },
      clock(),
    );
    const ms = await runWhole(model, path, job.items[0]!);
    path.pace = ms / job.items[0]!.elements;
    const between = clock();
    await runPath(model, 1);
    if (i === 0) continue;
    times.whole.push(between - start);
    times.steps.push(clock() - between);
  }
  path.pays = Math.min(...times.whole) < PAYS * Math.min(...times.steps);
}

/** Runs every segment once, and where samples all have one shape learns how large a batch pays. */
async function warmUp(model: LoadedModel, regroup: boolean): Promise<void> {
  await runPath(model, 1);
  await weighPath(model);
  const fixed = model.manifest.inputs.every(({ shape }) =>
    shape.slice(1).every((dim) => typeof dim === 'number'),
  );
  if (!regroup || !fixed) return;
  const best = model.segments.map(() => Number.POSITIVE_INFINITY);
  for (const size of BATCHES) {
    if (size > (model.manifest.max_batch ?? Number.POSITIVE_INFINITY)) break;
    await runPath(model, size);
    const times = [
      await runPath(model, size),
      await runPath(model, size),
      await runPath(model, size),
    ];
    model.segments.forEach((segment, i) => {
      const perSample = Math.min(...times.map((run) => run[i]!)) / size;
      if (perSample > PAYS * best[i]!) return;
      best[i] = perSample;
      segment.limit = size;
    });
  }
}

/**
 * A batch of synthetic samples through the whole path, every policy evaluated; ms per segment, the decoder's with the last.
 * @throws a sentence where π is not between 0 and 1
 */
async function runPath(model: LoadedModel, size: number): Promise<number[]> {
  const { manifest } = model;
  const samples = Array.from({ length: size }, () => syntheticSample(manifest.inputs));
  // π never exceeds 1, so every exit is evaluated.
  const job = new Job(0, model, samples, { rule: 'threshold', threshold: 1 }, clock());
  const times: number[] = [];
  for (const segment of model.segments) {
    const { stopped, ms } = await runSegment(model, job.items, Number.POSITIVE_INFINITY);
    segment.pace = ms / (size * job.items[0]!.elements);
    if (segment.last < manifest.depth) checkProbabilities(job.items, segment, manifest);
    times.push(stopped.length > 0 ? ms + (await readOut(model, stopped)) : ms);
  }
  return times;
}

/** π of these items at the exit of `segment` lies between 0 and 1. */
function checkProbabilities(
  items: readonly Item[],
  { file, last }: LoadedSegment,
  { policy_files: policies = [] }: Manifest,
): void {
  const bad = items.map(({ pi }) => pi.at(-1)!).find((pi) => !(pi >= 0 && pi <= 1));
  if (bad === undefined) return;
  const source = policies.find(({ exit }) => exit === last)?.file ?? file;
  throw new Error(
    `${source}: π at exit ${last} is ${bad} for a synthetic input; it must lie between 0 and 1 (is a sigmoid missing?).`,
  );
}

function syntheticSample(inputs: LoadedModel['manifest']['inputs']): Sample {
  return Object.fromEntries(
    inputs.map(({ name, shape }) => {
      const dims = shape
        .slice(1)
        .map((dim) => (typeof dim === 'number' ? dim : parseDimension(dim).factor * SYMBOL));
      const length = dims.reduce((a, b) => a * b, 1);
      return [
        name,
        { data: Float32Array.from({ length }, (_, i) => 0.5 + 0.5 * Math.sin(i)), dims },
      ];
    }),
  );
}

/** The shortest of three, one sample through each model's whole path, ms. */
async function timeAll(models: ReadonlyMap<string, LoadedModel>): Promise<number> {
  let sum = 0;
  for (const model of models.values()) {
    const times: number[] = [];
    for (let i = 0; i < 3; i++) times.push((await runPath(model, 1)).reduce((a, b) => a + b, 0));
    sum += Math.min(...times);
  }
  return sum;
}
