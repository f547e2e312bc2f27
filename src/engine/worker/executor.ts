/** Runs one batch through one segment, and reads out the samples that stop there. */
import { outputName, policiesOf } from '../../bundle/manifest.ts';
import { floats, tensor, type Tensor, type Tensors } from '../../runtime/session.ts';
import { stops } from '../../stopping/rule.ts';
import type { Item, Job, Stopped } from './jobs.ts';
import { clock } from '../../util/clock.ts';
import type { LoadedModel, LoadedPath, LoadedSegment } from './models.ts';
import { fromRow, stack, type Row } from './rows.ts';

export interface SegmentResult {
  readonly stopped: readonly Stopped[];
  readonly going: readonly Item[];
  readonly ms: number;
}

/**
 * Runs the segment that the samples wait for, and the policy of its exit where that is a file of its own.
 * @param cap the exit from which a loaded service ends samples
 */
export async function runSegment(
  model: LoadedModel,
  batch: readonly Item[],
  cap: number,
): Promise<SegmentResult> {
  const at = batch[0]!.next;
  const segment = segmentAt(model, at);
  const feeds = feedsFor(segment.reads, batch);
  const start = clock();
  const outputs = await segment.session.run(feeds);
  batch.forEach((item, i) => {
    for (const name of segment.writes) {
      release(item.values[name]);
      item.values[name] = { tensor: outputs[outputName(name)]!, index: i };
    }
  });
  const pi = await runPolicy(model, batch, at);
  const ms = clock() - start;
  const stopped: Stopped[] = [];
  const going: Item[] = [];
  batch.forEach((item, i) => {
    item.next++;
    const given = pi ?? outputs[item.rule.signal];
    const value = given ? floats(given)[i]! : undefined;
    if (at < model.manifest.exits.length - 1) item.pi.push(value ?? Number.NaN);
    const reason = stops(item.rule, at, value, cap);
    if (reason) stopped.push({ item, at, reason });
    else going.push(item);
  });
  return { stopped, going, ms };
}

/** The segment that ends at exit `at`, from 0. */
export const segmentAt = (model: LoadedModel, at: number): LoadedSegment =>
  model.segments[at - model.firstExit]!;

/** π [N] of a policy file; not run where no sample of the batch may stop by it. */
async function runPolicy(
  { manifest, policyFiles }: LoadedModel,
  batch: readonly Item[],
  at: number,
): Promise<Tensor | undefined> {
  const policy = policyFiles.get(manifest.exits[at]!);
  if (!policy || batch.every(({ rule }) => rule.thresholds[at] === Number.POSITIVE_INFINITY))
    return undefined;
  return (await policy.session.run(feedsFor(policy.reads, batch))).pi;
}

/** The outputs of samples that stopped at one exit, handed to their jobs. Gives the ms the decoder took. */
export async function readOut(model: LoadedModel, stopped: readonly Stopped[]): Promise<number> {
  const { manifest, decoders } = model;
  const exit = manifest.exits[stopped[0]!.at]!;
  const decoder = decoders.get(exit);
  const start = clock();
  const decoded = await decoder?.session.run(
    feedsFor(
      decoder.reads,
      stopped.map(({ item }) => item),
    ),
  );
  const ms = decoder ? clock() - start : 0;
  const now = clock();
  for (const [job, share] of sharesOf(stopped.map(({ item }) => item))) job.ran(ms, share, now);
  stopped.forEach(({ item, reason }, i) => {
    const row = (name: string): Row =>
      decoded ? { tensor: decoded[name]!, index: i } : item.values[name]!;
    const outputs = Object.fromEntries(
      manifest.outputs.map(({ name }) => [name, fromRow(row(name))]),
    );
    const found = manifest.statistic === undefined ? undefined : item.values[manifest.statistic];
    const statistic = found && floats(found.tensor)[found.index]!;
    for (const value of Object.values(item.values)) release(value);
    item.job.done(item, {
      depth: exit,
      reason,
      pi: item.pi,
      ...(statistic !== undefined && { statistic }),
      outputs,
    });
  });
  return ms;
}

/**
 * One sample through all layers in one run: the rule's thresholds go with it, and its outputs go to its job.
 * Gives the ms it took.
 */
export async function runWhole(
  { manifest }: LoadedModel,
  { session }: LoadedPath,
  item: Item,
): Promise<number> {
  const { exits, outputs } = manifest;
  const { rule, values, job } = item;
  const thresholds = Float32Array.from(exits.slice(0, -1), (_, at) =>
    at < rule.last ? rule.thresholds[at]! : -1,
  );
  const feeds = Object.fromEntries(Object.entries(values).map(([name, row]) => [name, row.tensor]));
  const start = clock();
  const policies = policiesOf(manifest);
  const chosen = Float32Array.from(policies, (name) => (name === rule.signal ? 1 : 0));
  const found = await session.run({
    ...feeds,
    thresholds: tensor(thresholds, [thresholds.length]),
    ...(policies.length > 1 && { policy: tensor(chosen, [policies.length]) }),
  });
  const ms = clock() - start;
  const at = floats(found.step!)[0]!;
  const pi = [...floats(found.pi!).subarray(0, at + 1)];
  // Where a threshold lies within a rounding of π the graph has decided.
  const reason = stops(rule, at, pi[at]) ?? 'policy';
  item.next = at + 1;
  job.ran(ms, 1, clock());
  job.done(item, {
    depth: exits[at]!,
    reason,
    pi,
    outputs: Object.fromEntries(
      outputs.map(({ name }) => [name, fromRow({ tensor: found[name]!, index: 0 })]),
    ),
  });
  return ms;
}

function feedsFor(reads: readonly string[], batch: readonly Item[]): Tensors {
  return Object.fromEntries(
    reads.map((name): [string, Tensor] => [name, stack(batch.map((item) => item.values[name]!))]),
  );
}

/** The share of a batch that each request has. */
export function sharesOf(batch: readonly Item[]): ReadonlyMap<Job, number> {
  const shares = new Map<Job, number>();
  for (const { job } of batch) shares.set(job, (shares.get(job) ?? 0) + 1 / batch.length);
  return shares;
}

/** Frees a value that lies on a device, where nobody has; those on the host are left to the collector. */
export function release(row: Row | undefined): void {
  if (row && row.tensor.location !== 'cpu' && row.tensor.location !== 'none') row.tensor.dispose();
}
