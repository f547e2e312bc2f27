/** Warm-up: runs every file of a model once, and measures whether batches and the whole path in one graph are faster. */
import { hasFixedInputs, type Manifest } from '../../bundle/manifest.ts';
import { parseDimension } from '../../bundle/shape.ts';
import { at } from '../../util/at.ts';
import { clock } from '../../util/clock.ts';
import type { Sample } from '../types.ts';
import { readOut, runSegment, runWhole } from './executor.ts';
import { Job, type Item } from './jobs.ts';
import type { Measured } from '../transport/messages.ts';
import type { LoadedModel, LoadedPath, LoadedSegment } from './models.ts';

/** The size of a symbolic dimension in synthetic samples. */
const SYMBOL_SIZE = 32;
const BATCH_SIZES = [1, 4, 16, 64];
/** An alternative is taken where it needs less than this share of the time: small differences are noise. */
const FASTER_BELOW = 0.9;
/** Measurements per alternative, of which the shortest counts: other load only adds to the time. */
const PATH_REPEATS = 10;
const BATCH_REPEATS = 3;
/**
 * A batch size is not tried where a sample's time so far lets a run of all segments take longer than this, ms: larger batches
 * gain little there, and trying them would take most of the start.
 */
const MAX_TRIED_MS = 60;
/** Measuring a size ends early once it has taken this long, ms: long runs vary less. */
const ENOUGH_MS = 60;

/**
 * Runs every segment, decoder and policy, and sets `isFaster` of the path and the batch limit of each segment.
 * @param regroup whether to look for batches larger than 1; only where the inputs have one fixed shape
 * @param measured what another worker has measured, in place of measuring it again
 * @throws an error that names the file where π is not between 0 and 1
 */
export async function warmUp(
  model: LoadedModel,
  regroup: boolean,
  measured?: Measured,
): Promise<void> {
  await runSegments(model, 1);
  if (measured) {
    await apply(model, measured);
    return;
  }
  await comparePath(model);
  if (regroup && hasFixedInputs(model.manifest)) await chooseBatchSizes(model);
}

/** What the warm-up has set. */
export const measurementsOf = ({ manifest, segments, path }: LoadedModel): Measured => ({
  model: manifest.name,
  limits: segments.map(({ limit }) => limit),
  pathIsFaster: path?.isFaster ?? false,
});

async function apply(model: LoadedModel, { limits, pathIsFaster }: Measured): Promise<void> {
  // The first run allocates memory and takes longer.
  await runSegments(model, 1);
  model.segments.forEach((segment, i) => (segment.limit = limits[i] ?? 1));
  if (model.path && pathIsFaster) {
    await runWholeOnce(model, model.path);
    await runWholeOnce(model, model.path);
    model.path.isFaster = true;
  }
}

/** Runs a synthetic sample at full depth through the path and keeps its time. */
async function runWholeOnce(model: LoadedModel, path: LoadedPath): Promise<void> {
  const stopping = { rule: 'fixed', depth: model.manifest.depth } as const;
  const job = new Job(0, model, [syntheticSample(model.manifest.inputs)], stopping, clock());
  const item = at(job.items, 0);
  path.msPerElement = (await runWhole(model, path, item)) / item.elements;
}

/** The shortest time of one sample through all segments, ms. */
export async function timePath(model: LoadedModel): Promise<number> {
  const runs = await repeat(BATCH_REPEATS, () => runSegments(model, 1));
  return Math.min(...runs.map(sum));
}

/** Whether one sample takes less time in one graph than segment by segment, at full depth. */
async function comparePath(model: LoadedModel): Promise<void> {
  const { path } = model;
  if (!path) return;
  const runs = await repeat(PATH_REPEATS + 1, async () => {
    const start = clock();
    await runWholeOnce(model, path);
    const between = clock();
    await runSegments(model, 1);
    return { whole: between - start, stepwise: clock() - between };
  });
  // The first run of a graph allocates its memory.
  const [, ...timed] = runs;
  const whole = Math.min(...timed.map((run) => run.whole));
  path.isFaster = whole < FASTER_BELOW * Math.min(...timed.map((run) => run.stepwise));
}

/** Sets the batch limit of each segment to the largest size that still takes clearly less time per sample than smaller ones. */
async function chooseBatchSizes(model: LoadedModel): Promise<void> {
  const { max_batch: maxBatch = Number.POSITIVE_INFINITY } = model.manifest;
  const best = model.segments.map(() => Number.POSITIVE_INFINITY);
  for (const size of BATCH_SIZES.filter((candidate) => candidate <= maxBatch)) {
    if (size > 1 && size * sum(best) > MAX_TRIED_MS) return;
    const before = model.segments.map(({ limit }) => limit);
    await runSegments(model, size);
    const runs = await repeat(BATCH_REPEATS, () => runSegments(model, size), ENOUGH_MS);
    model.segments.forEach((segment, i) => {
      const perSample = Math.min(...runs.map((times) => at(times, i))) / size;
      if (perSample > FASTER_BELOW * at(best, i)) return;
      best[i] = perSample;
      segment.limit = size;
    });
    // Where no segment gains from this size, a larger one only costs start-up time and memory.
    if (size > 1 && model.segments.every(({ limit }, i) => limit === before[i])) return;
  }
}

/** Runs at least once and at most `times` times, and not again after `enoughMs`. */
async function repeat<T>(
  times: number,
  run: () => Promise<T>,
  enoughMs = Number.POSITIVE_INFINITY,
): Promise<T[]> {
  const start = clock();
  const results = [await run()];
  while (results.length < times && clock() - start < enoughMs) results.push(await run());
  return results;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/**
 * Runs a batch of synthetic samples through all segments, every policy evaluated.
 * @returns ms per segment; the last includes its decoder
 * @throws an error that names the file where π is not between 0 and 1
 */
async function runSegments(model: LoadedModel, size: number): Promise<number[]> {
  const { manifest } = model;
  const samples = Array.from({ length: size }, () => syntheticSample(manifest.inputs));
  // π never exceeds 1, so every exit is evaluated.
  const job = new Job(0, model, samples, { rule: 'threshold', threshold: 1 }, clock());
  const { elements } = at(job.items, 0);
  const times: number[] = [];
  for (const segment of model.segments) {
    const { stopped, ms } = await runSegment(model, job.items, Number.POSITIVE_INFINITY);
    segment.msPerElement = ms / (size * elements);
    if (segment.last < manifest.depth) checkProbabilities(job.items, segment, manifest);
    times.push(stopped.length > 0 ? ms + (await readOut(model, stopped)) : ms);
  }
  return times;
}

/** @throws an error that names the file where π of an item at the exit of `segment` is not between 0 and 1 */
function checkProbabilities(
  items: readonly Item[],
  { file, last }: LoadedSegment,
  { policy_files: policies = [] }: Manifest,
): void {
  const invalid = items
    .map(({ pi }) => at(pi, pi.length - 1))
    .find((value) => !(value >= 0 && value <= 1));
  if (invalid === undefined) return;
  const source = policies.find(({ exit }) => exit === last)?.file ?? file;
  throw new Error(
    `${source}: π at exit ${last} is ${invalid} for a synthetic input; it must lie between 0 and 1 (is a sigmoid missing?).`,
  );
}

/** A smooth sample with values in [0,1]. */
function syntheticSample(inputs: Manifest['inputs']): Sample {
  return Object.fromEntries(
    inputs.map(({ name, shape }) => {
      const dims = shape
        .slice(1)
        .map((dim) => (typeof dim === 'number' ? dim : parseDimension(dim).factor * SYMBOL_SIZE));
      const length = dims.reduce((a, b) => a * b, 1);
      const data = Float32Array.from({ length }, (_, i) => 0.5 + 0.5 * Math.sin(i));
      return [name, { data, dims }];
    }),
  );
}
