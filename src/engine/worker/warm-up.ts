/** Warm-up: runs every file of a model once, and measures whether batches and the whole path in one graph are faster. */
import { hasFixedInputs, type Manifest } from '../../bundle/manifest.ts';
import { parseDimension } from '../../bundle/shape.ts';
import { at } from '../../util/at.ts';
import { clock } from '../../util/clock.ts';
import type { Sample } from '../types.ts';
import { readOut, runSegment, runWhole } from './executor.ts';
import { Job, type Item } from './jobs.ts';
import type { Measured } from '../transport/messages.ts';
import {
  declineVariant,
  type LoadedModel,
  type LoadedPath,
  type LoadedSegment,
  type LoadedVariant,
} from './models.ts';

/** The size of a symbolic dimension in synthetic samples. */
const SYMBOL_SIZE = 32;
/** The same where variants are compared: the work of a segment has to outweigh the call. */
const COMPARED_SIZE = 64;
const BATCH_SIZES = [1, 4, 16, 64];
/** An alternative is taken where it needs less than this share of the time: small differences are noise. */
const FASTER_BELOW = 0.9;
/** Measurements per alternative, of which the shortest counts: other load only adds to the time. */
const PATH_REPEATS = 10;
const BATCH_REPEATS = 3;
const VARIANT_REPEATS = 5;
/**
 * A batch size is not tried where a sample's time so far lets a run of all segments take longer than this, ms: larger batches
 * gain little there, and trying them would take most of the start.
 */
const MAX_TRIED_MS = 60;
/** Measuring a size ends early once it has taken this long, ms: long runs vary less. */
const ENOUGH_MS = 60;

/**
 * Runs every segment, decoder and policy, sets `isFaster` of the path and the batch limit of each segment, and takes variants
 * that are slower than float out of use.
 * @param regroup whether to look for batches larger than 1; only where the inputs have one fixed shape
 * @param measured what another worker has measured, in place of measuring it again
 * @param keepVariants whether they are used even where they are slower
 * @throws an error that names the file where π is not between 0 and 1
 */
export async function warmUp(
  model: LoadedModel,
  regroup: boolean,
  measured?: Measured,
  keepVariants = false,
): Promise<void> {
  await runSegments(model, 1);
  for (const variant of model.variants) await runSegments(model, 1, variant);
  if (measured) {
    await apply(model, measured);
    return;
  }
  await comparePath(model);
  if (!keepVariants) await compareVariants(model);
  if (!regroup || !hasFixedInputs(model.manifest)) return;
  for (const variant of [undefined, ...model.variants]) await chooseBatchSizes(model, variant);
}

/** What the warm-up has set. */
export const measurementsOf = (model: LoadedModel): Measured => ({
  model: model.manifest.name,
  limits: limitsOf(model),
  pathIsFaster: model.path?.isFaster ?? false,
  ...(model.manifest.variants && {
    variants: [
      ...model.variants.map((one) => ({ name: one.name, limits: limitsOf(one) })),
      ...model.declined.map(({ name, reason }) => ({ name, limits: [], declined: reason })),
    ],
  }),
});

const limitsOf = ({ segments }: Pick<LoadedModel, 'segments'>): number[] =>
  segments.map(({ limit }) => limit);

async function apply(
  model: LoadedModel,
  { limits, pathIsFaster, variants = [] }: Measured,
): Promise<void> {
  // The first run allocates memory and takes longer.
  for (const variant of [undefined, ...model.variants]) await runSegments(model, 1, variant);
  for (const { name, segments } of model.variants) {
    const known = variants.find((one) => one.name === name);
    segments.forEach((segment, i) => (segment.limit = known?.limits[i] ?? 1));
  }
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

/** Takes the variants out of use that do not take clearly less time than float, from the second segment on. */
async function compareVariants(model: LoadedModel): Promise<void> {
  const ms = async (variant?: LoadedVariant): Promise<number> =>
    sum((await runSegments(model, 1, variant, COMPARED_SIZE)).slice(1));
  for (const variant of [...model.variants]) {
    // In turn, so that other load meets both.
    const runs = await repeat(
      VARIANT_REPEATS,
      async () => [await ms(variant), await ms()] as const,
    );
    const own = Math.min(...runs.map(([time]) => time));
    const float = Math.min(...runs.map(([, time]) => time));
    if (own < FASTER_BELOW * float) continue;
    const reason = `it is no faster here: ${own.toFixed(2)} ms where float takes ${float.toFixed(2)} ms`;
    await declineVariant(model, variant, reason);
  }
}

/**
 * Sets the batch limit of each segment of a variant, or of float, to the largest size that still takes clearly less time per
 * sample than smaller ones.
 */
async function chooseBatchSizes(model: LoadedModel, variant?: LoadedVariant): Promise<void> {
  const { max_batch: maxBatch = Number.POSITIVE_INFINITY } = model.manifest;
  const { segments } = variant ?? model;
  const best = segments.map(() => Number.POSITIVE_INFINITY);
  for (const size of BATCH_SIZES.filter((candidate) => candidate <= maxBatch)) {
    if (size > 1 && size * sum(best) > MAX_TRIED_MS) return;
    const before = segments.map(({ limit }) => limit);
    await runSegments(model, size, variant);
    const runs = await repeat(BATCH_REPEATS, () => runSegments(model, size, variant), ENOUGH_MS);
    segments.forEach((segment, i) => {
      const perSample = Math.min(...runs.map((times) => at(times, i))) / size;
      if (perSample > FASTER_BELOW * at(best, i)) return;
      best[i] = perSample;
      segment.limit = size;
    });
    // Where no segment gains from this size, a larger one only costs start-up time and memory.
    if (size > 1 && segments.every(({ limit }, i) => limit === before[i])) return;
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
 * Runs a batch of synthetic samples through all segments of a variant, or of float, every policy evaluated.
 * @returns ms per segment; the last includes its decoder
 * @throws an error that names the file where π is not between 0 and 1
 */
async function runSegments(
  model: LoadedModel,
  size: number,
  variant?: LoadedVariant,
  symbolSize = SYMBOL_SIZE,
): Promise<number[]> {
  const { manifest } = model;
  const samples = Array.from({ length: size }, () => syntheticSample(manifest.inputs, symbolSize));
  // π never exceeds 1, so every exit is evaluated.
  const job = new Job(0, model, samples, { rule: 'threshold', threshold: 1 }, clock());
  for (const item of job.items) item.runIn(variant);
  const { elements, segments } = at(job.items, 0);
  const times: number[] = [];
  for (const segment of segments) {
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
function syntheticSample(inputs: Manifest['inputs'], symbolSize = SYMBOL_SIZE): Sample {
  return Object.fromEntries(
    inputs.map(({ name, shape }) => {
      const dims = shape
        .slice(1)
        .map((dim) => (typeof dim === 'number' ? dim : parseDimension(dim).factor * symbolSize));
      const length = dims.reduce((a, b) => a * b, 1);
      const data = Float32Array.from({ length }, (_, i) => 0.5 + 0.5 * Math.sin(i));
      return [name, { data, dims }];
    }),
  );
}
