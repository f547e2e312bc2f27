/** `quantise`: fits the int8 variant of a bundle, measures it against float and writes it into the bundle. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { segmentExits, type Manifest, type Variant } from '../bundle/manifest.ts';
import { loadBundle, type Bundle } from '../bundle/read.ts';
import { writeBundle } from '../bundle/write.ts';
import type { Metric } from '../evaluation/metrics.ts';
import type { Traffic } from '../evaluation/traffic.ts';
import { lossBins, meanLoss, variantRange, type VariantLoss } from '../evaluation/variant-range.ts';
import { resolveStopping, stopRule, stops } from '../stopping/rule.ts';
import { recipeFor } from '../tasks/recipes.ts';
import { parseFlags, toPositive, usageOf, type FlagTable } from '../training/flags.ts';
import { configOf, readWeights } from '../training/from-bundle.ts';
import type { VariantFiles } from '../training/recipe.ts';
import { VariantTracer, type TracedExits, type TracedPair } from '../training/variant-trace.ts';
import { at } from '../util/at.ts';
import { WorkBar } from './progress.ts';
import { usualFolders, type Folders } from './tasks.ts';

const table = {
  data: {
    type: 'string',
    value: 'DIR',
    help: 'clean images: those of the training part are fitted on, the others measured on (required)',
  },
  limit: {
    type: 'string',
    value: 'X',
    default: '0.03',
    help: 'mean loss against float up to which a variant may be used, dB',
  },
  count: {
    type: 'string',
    value: 'N',
    default: '120',
    help: 'requests that choose the range; as many more measure the loss in it',
  },
  seed: { type: 'string', value: 'N', default: '1609', help: 'seed of the requests' },
  replace: { type: 'boolean', default: false, help: 'replace variants that are there' },
} as const satisfies FlagTable;

/** Help text of `quantise`. */
export const usage = `npm run quantise -- NAME --data DIR [flags]

Fits an int8 variant of the bundle NAME, finds the range of the input's noise level in which it loses less than --limit at
the exits that the stop rule takes, and writes it into the bundle.

${usageOf(table)}`;

/** Fits, measures and writes the variant. @throws Error that says which flag or file to change */
export async function quantiseCommand(
  args: readonly string[],
  { models }: Folders = usualFolders(),
): Promise<void> {
  const {
    flags,
    positionals: [name],
  } = parseFlags(table, args);
  if (name === undefined || flags.data === undefined) throw new Error(usage);
  const limit = toPositive('--limit', flags.limit);
  const count = Math.ceil(toPositive('--count', flags.count));
  const bundle = await loadBundle(resolve(models, name));
  const { manifest } = bundle;
  if (manifest.variants && !flags.replace)
    throw new Error(`${name} has variants; --replace fits them anew.`);
  const recipe = recipeFor(manifest.task);
  if (!recipe.quantise) throw new Error(`Models of ${manifest.task} have no int8 variant.`);
  const traffic = await recipe.traffic(flags, manifest, models, Number(flags.seed));
  const bar = new WorkBar();
  try {
    const fitted = await recipe.quantise(
      configOf(recipe, manifest),
      await readWeights(bundle.directory),
      flags.data,
      (share) => bar.update('fit', share / 2),
    );
    const tracer = await VariantTracer.load(bundle, fitted, recipe.metric);
    const parts = [traffic.selection, traffic.certification];
    const [selection, certification] = await traceParts(tracer, parts, count, (share) =>
      bar.update('measure', 0.5 + share / 2),
    );
    bar.stop();
    const measured = measure(manifest, recipe.metric, limit, selection!, certification!);
    const { name: variant, segments } = fitted;
    await write(bundle, fitted, { name: variant, segments, ...measured });
    console.log(`Wrote the variant ${variant} into ${bundle.directory}.`);
  } finally {
    bar.stop();
  }
}

async function traceParts(
  tracer: VariantTracer,
  parts: readonly Traffic[],
  count: number,
  onProgress: (share: number) => void,
): Promise<TracedPair[][]> {
  const traced: TracedPair[][] = [];
  try {
    for (const [p, part] of parts.entries()) {
      const list: TracedPair[] = [];
      for (let i = 0; i < count; i++) {
        list.push(await tracer.trace(await part.draw(i)));
        onProgress((p * count + i + 1) / (parts.length * count));
      }
      traced.push(list);
    }
  } finally {
    await tracer.release();
  }
  return traced;
}

/**
 * The range of the statistic, chosen on one part of the requests, and the loss in it, measured on the other.
 * @throws Error where the variant loses too much
 */
function measure(
  manifest: Manifest,
  metric: Metric,
  limit: number,
  selection: readonly TracedPair[],
  certification: readonly TracedPair[],
): Pick<Variant, 'statistic' | 'loss'> {
  const lossOf = lossUnder(manifest, metric);
  const bins = lossBins(selection.map(lossOf));
  console.table(bins.map((bin) => rowOf(bin, manifest, metric)));
  const range = variantRange(bins, limit);
  if (!range)
    throw new Error(`It loses ${limit} ${metric.unit} or more everywhere; nothing was written.`);
  const statistic = { minimum: digits(range.minimum), maximum: digits(range.maximum) };
  const inside = certification
    .map(lossOf)
    .filter((one) => one.statistic >= statistic.minimum && one.statistic <= statistic.maximum);
  const loss = digits(meanLoss(inside));
  const worst = digits(Math.max(...inside.map((one) => one.loss)));
  console.log(
    `${manifest.statistic} ${statistic.minimum} to ${statistic.maximum}: mean loss ${loss} ${metric.unit}, at most ${worst}, on ${inside.length} other requests`,
  );
  if (!(loss < limit))
    throw new Error('It loses too much on the other requests; nothing was written.');
  return { statistic, loss };
}

/** What a variant lost on a request under the stop rule, and at every exit. */
interface Lost extends VariantLoss {
  readonly atExits: readonly number[];
}

/**
 * The losses when float and variant each leave at the exit of the bundle's default rule. Where the variant is better it lost
 * nothing: a few such requests must not make up for many losses.
 */
function lossUnder(manifest: Manifest, metric: Metric): (traced: TracedPair) => Lost {
  const rule = stopRule(
    resolveStopping({}, manifest, () => 0),
    manifest,
    0,
  );
  const exitOf = ({ pi, quality }: TracedExits): number =>
    quality.findIndex((_, exit) => stops(rule, exit, pi[exit]) !== undefined);
  return ({ statistic, float, variant }) => {
    const lost = (exit: number, own: number): number =>
      Math.max(0, metric.loss(at(float.quality, exit), at(variant.quality, own)));
    return {
      statistic,
      loss: lost(exitOf(float), exitOf(variant)),
      atExits: float.quality.map((_, exit) => lost(exit, exit)),
    };
  };
}

/** A line of the printed table. */
function rowOf(bin: readonly Lost[], manifest: Manifest, { unit }: Metric): Record<string, number> {
  const exits = segmentExits(manifest).map(
    (exit, i) =>
      [
        `exit ${exit}`,
        digits(meanLoss(bin.map((one) => ({ ...one, loss: at(one.atExits, i) })))),
      ] as const,
  );
  return {
    [`${manifest.statistic} from`]: digits(at(bin, 0).statistic),
    to: digits(at(bin, bin.length - 1).statistic),
    requests: bin.length,
    [`mean loss, ${unit}`]: digits(meanLoss(bin)),
    ...Object.fromEntries(exits),
  };
}

/** Adds the variant to the bundle, in place of those that it has. */
async function write(
  { directory, manifest: { files, ...manifest } }: Bundle,
  { contents: added }: VariantFiles,
  variant: Variant,
): Promise<void> {
  const own = new Set(manifest.segments.map(({ file }) => file));
  const old = new Set(manifest.variants?.flatMap(({ segments }) => segments));
  const contents = new Map<string, Uint8Array>();
  for (const file of Object.keys(files))
    if (own.has(file) || !old.has(file)) contents.set(file, await readFile(join(directory, file)));
  for (const [file, bytes] of added) contents.set(file, bytes);
  await writeBundle(directory, { ...manifest, variants: [variant] }, contents);
}

const digits = (value: number): number => Number(value.toPrecision(3));
