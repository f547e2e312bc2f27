/** Runs a batch through a segment, and reads out the samples that stop at its exit. */
import { FLOAT, outputName, policiesOf } from '../../bundle/manifest.ts';
import { floats, tensor, type Tensor, type Tensors } from '../../runtime/session.ts';
import { stops } from '../../stopping/rule.ts';
import { at, entry } from '../../util/at.ts';
import type { Item, Job, Stopped } from './jobs.ts';
import { clock } from '../../util/clock.ts';
import type { LoadedExitFile, LoadedModel, LoadedPath } from './models.ts';
import { fromRow, stack, type Row } from './rows.ts';
import { chooseEach } from './variants.ts';

/** A batch after a segment, split into the samples that stop at its exit and those that go on. */
export interface SegmentResult {
  readonly stopped: readonly Stopped[];
  /** The samples that go on to the next segment. */
  readonly going: readonly Item[];
  /** Parts of an image whose variant is not chosen yet: `decide` is still to be asked. */
  readonly undecided: readonly Item[];
  /** Time of the segment and its policy file, ms. */
  readonly ms: number;
}

/**
 * Runs the segment that the samples wait for, and the policy of its exit where that is a file of its own.
 * @param cap the exit, from 0, from which samples stop under load; Infinity without load
 */
export async function runSegment(
  model: LoadedModel,
  batch: readonly Item[],
  cap: number,
): Promise<SegmentResult> {
  const exit = at(batch, 0).next;
  const { segment } = at(batch, 0);
  const feeds = feedsFor(segment.reads, batch);
  const start = clock();
  const outputs = await segment.session.run(feeds);
  batch.forEach((item, i) => {
    for (const name of segment.writes) {
      release(item.values[name]);
      item.values[name] = { tensor: entry(outputs, outputName(name)), index: i };
    }
  });
  const pi = await runPolicy(model, batch, exit);
  const ms = clock() - start;
  batch.forEach((item, i) => {
    item.next++;
    const given = pi ?? outputs[item.rule.signal];
    if (exit < model.manifest.exits.length - 1)
      item.pi.push(given ? at(floats(given), i) : Number.NaN);
  });
  const chosen = exit === model.firstExit ? chooseEach(model, batch) : batch;
  const undecided = chosen === batch ? [] : batch.filter((item) => !chosen.includes(item));
  return { ...decide(chosen, exit, cap), undecided, ms };
}

/** Splits samples that have run the segment before an exit, counted from 0, into those that stop there and those that go on. */
export function decide(
  items: readonly Item[],
  exit: number,
  cap: number,
): Pick<SegmentResult, 'stopped' | 'going'> {
  const stopped: Stopped[] = [];
  const going: Item[] = [];
  for (const item of items) {
    const reason = stops(item.rule, exit, item.pi[exit], cap);
    if (reason) stopped.push({ item, at: exit, reason });
    else going.push(item);
  }
  return { stopped, going };
}

/** The read-out at an exit, counted from 0, of samples that have run there in one form; undefined where there is none. */
export function decoderAt(
  { manifest, decoders }: LoadedModel,
  exit: number,
  { ranIn }: Item,
): LoadedExitFile | undefined {
  const depth = at(manifest.exits, exit);
  return ranIn?.decoders.get(depth) ?? decoders.get(depth);
}

/** π [N] of the exit's policy file; undefined where there is none, or where no sample of the batch may stop by it. */
async function runPolicy(
  { manifest, policyFiles, firstExit, variants }: LoadedModel,
  batch: readonly Item[],
  exit: number,
): Promise<Tensor | undefined> {
  const policy = policyFiles.get(at(manifest.exits, exit));
  if (!policy) return undefined;
  // The rule of a variant that is chosen then may stop by it.
  const mayChange = exit === firstExit && variants.length > 0;
  if (!mayChange && batch.every(({ rule }) => rule.thresholds[exit] === Number.POSITIVE_INFINITY))
    return undefined;
  return (await policy.session.run(feedsFor(policy.reads, batch))).pi;
}

/**
 * Gives the outputs of samples that stopped at the same exit to their jobs, through the exit's decoder if it has one.
 * @returns time of the decoder, ms
 */
export async function readOut(model: LoadedModel, stopped: readonly Stopped[]): Promise<number> {
  const { manifest } = model;
  const exit = at(stopped, 0).at;
  const depth = at(manifest.exits, exit);
  const items = stopped.map(({ item }) => item);
  const decoder = decoderAt(model, exit, at(items, 0));
  const start = clock();
  const decoded = await decoder?.session.run(feedsFor(decoder.reads, items));
  const now = clock();
  const ms = decoder ? now - start : 0;
  for (const [job, share] of sharesOf(items)) job.ran('read-out', ms, share, now);
  stopped.forEach(({ item, reason }, i) => {
    const row = (name: string): Row =>
      decoded ? { tensor: entry(decoded, name), index: i } : entry(item.values, name);
    const outputs = Object.fromEntries(
      manifest.outputs.map(({ name }) => [name, fromRow(row(name))]),
    );
    const { statistic, ranIn } = item;
    for (const value of Object.values(item.values)) release(value);
    // The job keeps its items until all have stopped, and an image has many.
    item.values = {};
    item.job.done(item, {
      depth,
      reason,
      pi: item.pi,
      ...(statistic !== undefined && { statistic }),
      ...(manifest.variants && { variant: ranIn?.name ?? FLOAT }),
      outputs,
    });
  });
  return ms;
}

/**
 * Runs one sample through the path in one graph, which compares π with the rule's thresholds itself, and gives the
 * outputs to its job.
 * @returns time of the run, ms
 */
export async function runWhole(
  { manifest }: LoadedModel,
  { session }: LoadedPath,
  item: Item,
): Promise<number> {
  const { exits, outputs } = manifest;
  const { rule, values, job } = item;
  // −1 stops the sample at its last exit whatever π is.
  const thresholds = Float32Array.from(exits.slice(0, -1), (_, exit) =>
    exit < rule.last ? at(rule.thresholds, exit) : -1,
  );
  const feeds = Object.fromEntries(Object.entries(values).map(([name, row]) => [name, row.tensor]));
  const start = clock();
  const policies = policiesOf(manifest);
  const chosen = Float32Array.from(policies, (name) => (name === rule.signal ? 1 : 0));
  const results = await session.run({
    ...feeds,
    thresholds: tensor(thresholds, [thresholds.length]),
    ...(policies.length > 1 && { policy: tensor(chosen, [policies.length]) }),
  });
  const ms = clock() - start;
  const exit = at(floats(entry(results, 'step')), 0);
  const pi = [...floats(entry(results, 'pi')).subarray(0, exit + 1)];
  // The graph compares in float32: where π is within rounding of the threshold, its decision stands.
  const reason = stops(rule, exit, pi[exit]) ?? 'policy';
  item.next = exit + 1;
  job.ran('path', ms, 1, clock());
  job.done(item, {
    depth: at(exits, exit),
    reason,
    pi,
    outputs: Object.fromEntries(
      outputs.map(({ name }) => [name, fromRow({ tensor: entry(results, name), index: 0 })]),
    ),
  });
  return ms;
}

/** The values that a graph reads, of all samples of a batch. */
export function feedsFor(reads: readonly string[], batch: readonly Item[]): Tensors {
  return Object.fromEntries(
    reads.map((name): [string, Tensor] => [
      name,
      stack(batch.map((item) => entry(item.values, name))),
    ]),
  );
}

/** Each job's share of a batch; the shares add up to 1. */
export function sharesOf(batch: readonly Item[]): ReadonlyMap<Job, number> {
  const shares = new Map<Job, number>();
  for (const { job } of batch) shares.set(job, (shares.get(job) ?? 0) + 1 / batch.length);
  return shares;
}

/** Frees a value on a device, unless that was done already; values on the host are garbage collected. */
export function release(row: Row | undefined): void {
  if (row && row.tensor.location !== 'cpu' && row.tensor.location !== 'none') row.tensor.dispose();
}
