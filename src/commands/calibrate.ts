/** `calibrate`: certifies a stop rule for every tolerance on the traffic of a bundle's task, through the serving engine. */
import { join } from 'node:path';
import { SCHEMA_VERSION, type Manifest } from '../bundle/manifest.ts';
import { loadBundles } from '../bundle/read.ts';
import { writeManifest } from '../bundle/write.ts';
import {
  calibrationReport,
  type CalibrationReport,
  type TracedParts,
} from '../evaluation/calibration-table.ts';
import { startEngine } from '../evaluation/measure.ts';
import type { Metric } from '../evaluation/metrics.ts';
import { traceTraffic, type TracedKind } from '../evaluation/trace-traffic.ts';
import type { CalibrationTraffic, Traffic } from '../evaluation/traffic.ts';
import { calibrationRecipes, recipeFor } from '../tasks/recipes.ts';
import type { FlagTable } from '../training/flags.ts';
import { calibrationTables } from './calibration-tables.ts';
import { WorkBar } from './progress.ts';
import { firstArgument, flagsFor, usageByTask, usualFolders, type Folders } from './tasks.ts';

const common = {
  count: {
    type: 'string',
    value: 'N',
    help: 'requests to certify on; half as many each to choose rules and to test them',
  },
  repeats: { type: 'string', value: 'N', help: 'runs of a request, whose median time counts' },
  together: {
    type: 'string',
    value: 'N',
    default: '1',
    help: 'requests that run together and share the time',
  },
  seed: { type: 'string', value: 'N', default: '1609', help: 'seed of the traffic' },
  record: { type: 'boolean', default: false, help: 'write the table into the manifest' },
  json: { type: 'boolean', default: false, help: 'one JSON object on standard output' },
} as const satisfies FlagTable;

/** Help text of `calibrate`: the flags of each task, then those of all. */
export const usage = [
  'npm run calibrate -- NAME [flags]',
  '',
  'Finds, for each loss that a caller may accept, the cheapest stop rule of the bundle NAME that is certified to keep it.',
  ...usageByTask(common, 'calibrateFlags', 'NAME for'),
].join('\n');

/**
 * Calibrates a bundle and prints the table; `--record` also writes it into the manifest.
 * @throws Error where a flag is invalid, or the bundle does not exist or cannot be served
 */
export async function calibrateCommand(
  args: readonly string[],
  { models }: Folders = usualFolders(),
): Promise<void> {
  const manifest = await bundleOf(models, firstArgument(common, 'calibrateFlags', args));
  const { task } = manifest;
  const recipe = calibrationRecipes.find((one) => one.task === task) ?? recipeFor(task);
  const flags = flagsFor(recipe.task, common, 'calibrateFlags', args);
  const seed = toWhole('--seed', flags.seed, 0);
  const together = toWhole('--together', flags.together);
  const asked = flags.count === undefined ? undefined : toWhole('--count', flags.count);
  const repeats = flags.repeats === undefined ? undefined : toWhole('--repeats', flags.repeats);
  const drawn = await recipe.traffic(flags, manifest, models, seed);
  const traffic = { ...drawn, count: asked ?? drawn.count, repeats: repeats ?? drawn.repeats };
  if (traffic.most !== undefined && traffic.count > traffic.most)
    throw new Error(`--count is ${traffic.count}; the data is enough for ${traffic.most}.`);
  const { metric = recipe.metric } = drawn;
  const parts = await traceParts(models, manifest, traffic, metric, together);
  const report = calibrationReport(parts, metric, manifest, `${traffic.name}, seed ${seed}`);
  if (flags.record)
    await writeManifest(join(models, manifest.name), {
      ...manifest,
      schema_version: SCHEMA_VERSION,
      calibration: report.calibration,
    });
  if (flags.json)
    console.log(JSON.stringify({ model: manifest.name, task: manifest.task, ...report }));
  else console.log(calibrationTables(report, metric));
  warn(report, flags.record);
}

/** @throws Error where no bundle has this name */
async function bundleOf(models: string, name: string | undefined): Promise<Manifest> {
  const { bundles } = await loadBundles(models);
  const names = bundles.map(({ manifest }) => manifest.name).join(', ');
  if (name === undefined) throw new Error(`Say which bundle; there are ${names}.\n${usage}`);
  const found = bundles.find(({ manifest }) => manifest.name === name);
  if (!found) throw new Error(`There is no model ${name} in ${models}; there are ${names}.`);
  return found.manifest;
}

async function traceParts(
  models: string,
  manifest: Manifest,
  { selection, certification, test, count, repeats, untouched, statistic }: CalibrationTraffic,
  metric: Metric,
  together: number,
): Promise<TracedParts> {
  const half = Math.ceil(count / 2);
  const total = repeats * (count + half * (test ? 2 : 1));
  const bar = new WorkBar();
  let done = 0;
  const engine = await startEngine(models, [manifest.name]);
  const traced = (part: Traffic, n: number): Promise<TracedKind[]> =>
    traceTraffic(engine, manifest, part, n, metric, {
      repeats,
      together,
      onRequest: () => bar.update(part.part, ++done / total),
      ...(untouched && { untouched }),
      ...(statistic && { statistic }),
    });
  try {
    const [refused] = engine.refused;
    if (refused) throw new Error(`${refused.name} cannot be served: ${refused.reason}`);
    return {
      selection: await traced(selection, half),
      certification: await traced(certification, count),
      ...(test && { test: await traced(test, half) }),
    };
  } finally {
    bar.stop();
    await engine.close();
  }
}

/** Says on standard error what a table without guarantees, or one that was not written, means. */
function warn({ calibration: { rows } }: CalibrationReport, recorded: boolean): void {
  if (!rows.some(({ guaranteed }) => guaranteed))
    console.error('No rule is certified for any tolerance: the default rule stays threshold.');
  if (!recorded) console.error('The manifest is unchanged; --record writes the table into it.');
}

function toWhole(flag: string, text: string, least = 1): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < least)
    throw new Error(`${flag} must be a whole number from ${least} on, not ${text}.`);
  return value;
}
