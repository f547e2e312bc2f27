/** `quantise`: fits int8 variants of a bundle, measures them against float and writes those that lose little into it. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Manifest, Variant } from '../bundle/manifest.ts';
import { loadBundle, type Bundle } from '../bundle/read.ts';
import { writeBundle } from '../bundle/write.ts';
import type { Metric } from '../evaluation/metrics.ts';
import type { TracedRequest } from '../evaluation/regret.ts';
import type { Traffic } from '../evaluation/traffic.ts';
import { lossBins, meanLoss, variantRange, type VariantLoss } from '../evaluation/variant-range.ts';
import { resolveStopping, stopRule, stops } from '../stopping/rule.ts';
import { recipeFor } from '../tasks/recipes.ts';
import { parseFlags, toPositive, usageOf, type FlagTable } from '../training/flags.ts';
import { configOf, readWeights } from '../training/from-bundle.ts';
import type { VariantFiles } from '../training/recipe.ts';
import { VariantTracer, type TracedVariants } from '../training/variant-trace.ts';
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

Fits int8 variants of the bundle NAME, and finds the range of the input's noise level in which each loses less than --limit
at the exits that the stop rule takes. Writes those that have such a range into the bundle.

${usageOf(table)}`;

/** Fits, measures and writes the variants. @throws Error that says which flag or file to change */
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
  const bar = new WorkBar();
  try {
    const fitted = await recipe.quantise(
      configOf(recipe, manifest),
      await readWeights(bundle.directory),
      flags.data,
      (share) => bar.update('fit', share / 2),
    );
    const traffic = await recipe.traffic(flags, manifest, models, Number(flags.seed));
    const tracer = await VariantTracer.load(bundle, fitted, recipe.metric);
    const parts = [traffic.selection, traffic.certification];
    const [selection, certification] = await traceParts(tracer, parts, count, (share) =>
      bar.update('measure', 0.5 + share / 2),
    );
    const measured = fitted.map((files, i) => ({
      files,
      ...variantOf(files, i, { manifest, metric: recipe.metric, limit }, selection!, certification!),
    }));
    const kept = measured.filter(({ variant }) => variant);
    bar.stop();
    for (const { files, report } of measured) console.log(`${files.name}: ${report}`);
    console.log(timesOf(fitted, certification!));
    if (kept.length === 0) throw new Error(`No variant loses less than ${limit} dB; nothing was written.`);
    await write(bundle, kept.map(({ files }) => files), kept.map(({ variant }) => variant!));
    console.log(`Wrote ${kept.length} variants into ${bundle.directory}.`);
  } finally {
    bar.stop();
  }
}

async function traceParts(
  tracer: VariantTracer,
  parts: readonly Traffic[],
  count: number,
  onProgress: (share: number) => void,
): Promise<TracedVariants[][]> {
  const traced: TracedVariants[][] = [];
  try {
    for (const [p, part] of parts.entries()) {
      const list: TracedVariants[] = [];
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

interface Judgement {
  readonly manifest: Manifest;
  readonly metric: Metric;
  readonly limit: number;
}

/** A variant with its range, chosen on one part, and its loss there, measured on the other; none where nothing is within the limit. */
function variantOf(
  { name, segments }: VariantFiles,
  index: number,
  judgement: Judgement,
  selection: readonly TracedVariants[],
  certification: readonly TracedVariants[],
): { variant?: Variant; report: string } {
  const { limit, manifest } = judgement;
  const { unit } = judgement.metric;
  const lossOf = lossUnder(judgement, index);
  const bins = lossBins(selection.map(lossOf));
  console.table(
    bins.map((bin) => ({
      [`${manifest.statistic} from`]: digits(bin[0]!.statistic),
      to: digits(bin.at(-1)!.statistic),
      requests: bin.length,
      [`mean loss, ${unit}`]: digits(meanLoss(bin)),
    })),
  );
  const range = variantRange(bins, limit);
  if (!range) return { report: `loses ${limit} ${unit} or more everywhere` };
  const statistic = { minimum: digits(range.minimum), maximum: digits(range.maximum) };
  const inside = certification
    .map(lossOf)
    .filter((one) => one.statistic >= statistic.minimum && one.statistic <= statistic.maximum);
  const loss = digits(meanLoss(inside));
  const worst = Math.max(...inside.map((one) => one.loss));
  const report = `${manifest.statistic} ${statistic.minimum} to ${statistic.maximum}: mean loss ${loss} ${unit}, at most ${digits(worst)}, on ${inside.length} other requests`;
  if (!(loss < limit)) return { report: `${report}; not within the limit` };
  return { variant: { name, segments, statistic, loss }, report };
}

/** What a variant loses on a request when float and variant each leave at the exit of the bundle's default rule. */
function lossUnder(
  { manifest, metric }: Judgement,
  index: number,
): (traced: TracedVariants) => VariantLoss {
  const rule = stopRule(resolveStopping({}, manifest, () => 0), manifest, 0);
  const answer = ({ pi, quality }: TracedRequest): number =>
    at(
      quality,
      quality.findIndex((_, exit) => stops(rule, exit, pi[exit]) !== undefined),
    );
  return ({ statistic, float, variants }) => ({
    statistic,
    loss: metric.loss(answer(float), answer(at(variants, index))),
  });
}

/** The time of the whole path in each variant, as a share of float's. */
function timesOf(variants: readonly VariantFiles[], traced: readonly TracedVariants[]): string {
  const total = (of: (request: TracedVariants) => TracedRequest): number =>
    traced.reduce((sum, request) => sum + of(request).ms.at(-1)!, 0);
  const float = total((request) => request.float);
  const shares = variants.map(({ name }, i) => {
    const share = total((request) => at(request.variants, i)) / float;
    return `${name} ${digits(share)}`;
  });
  return `time of all layers, of float's: ${shares.join(', ')}`;
}

/** Adds the variants to the bundle, in place of those that it has. */
async function write(
  { directory, manifest: { files, ...manifest } }: Bundle,
  kept: readonly VariantFiles[],
  variants: Variant[],
): Promise<void> {
  const own = new Set(manifest.segments.map(({ file }) => file));
  const old = new Set(manifest.variants?.flatMap(({ segments }) => segments));
  const contents = new Map<string, Uint8Array>();
  for (const file of Object.keys(files))
    if (own.has(file) || !old.has(file)) contents.set(file, await readFile(join(directory, file)));
  for (const one of kept) for (const [file, bytes] of one.contents) contents.set(file, bytes);
  await writeBundle(directory, { ...manifest, variants }, contents);
}

const digits = (value: number): number => Number(value.toPrecision(3));
