/** `evaluate`: quality, depth and time of a bundle, measured through the serving engine. */
import { join } from 'node:path';
import type { Manifest, Measurement } from '../bundle/manifest.ts';
import { loadBundles } from '../bundle/read.ts';
import { writeManifest } from '../bundle/write.ts';
import type { Condition } from '../evaluation/data.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import { countCases, startEngine } from '../evaluation/measure.ts';
import type { Metric } from '../evaluation/metrics.ts';
import { ruleNames, type StoppingParameters } from '../stopping/parameters.ts';
import { toNumber, type FlagsOf, type FlagTable } from '../training/flags.ts';
import { WorkBar } from './progress.ts';
import { parseTask, usageFor, usualFolders, type Folders, type TaskCommand } from './tasks.ts';

const common = {
  model: { type: 'string', value: 'NAME', help: "the bundle; the task's default where absent" },
  rule: {
    type: 'string',
    value: 'RULE',
    help: 'stop rule: threshold (the default), confidence, sample or fixed',
  },
  threshold: { type: 'string', value: 'X', help: 'threshold of the rule' },
  depth: { type: 'string', value: 'N', help: 'depth of the rule fixed' },
  seed: { type: 'string', value: 'N', help: 'seed of the rule sample' },
  'max-depth': { type: 'string', value: 'N', help: 'no sample goes deeper' },
  record: { type: 'boolean', default: false, help: 'write the figures into the manifest' },
  json: { type: 'boolean', default: false, help: 'one JSON object on standard output' },
} as const satisfies FlagTable;

const command: TaskCommand<typeof common> = {
  name: 'evaluate',
  common,
  own: 'evaluateFlags',
  noTask: 'Say which task',
  unknownTask: (task) => `There is no task ${task}`,
};

/** Help text of `evaluate`: the flags of each task, then those of all. */
export const usage = usageFor(command);

/** Seed of the test data. */
const SEED = 4711;

/**
 * Measures a bundle and prints a row per condition; `--record` also writes them into the manifest.
 * @throws Error where the task or a flag is invalid, or the task has no such bundle
 */
export async function evaluateCommand(
  args: readonly string[],
  { models }: Folders = usualFolders(),
): Promise<void> {
  const { recipe, flags } = parseTask(command, args);
  const stopping = toStopping(flags);
  const manifest = await chooseBundle(models, recipe.task, flags.model);
  const test = await recipe.testData(flags, manifest, models);
  const conditions = test.conditions(manifest, SEED);
  const rows = await evaluateBundle(models, manifest, conditions, recipe.metric, stopping);
  if (flags.record) {
    const exits = manifest.measured?.exits ?? [];
    const measured = { exits, data: `${test.name}, seed ${SEED}`, threshold: rows };
    await writeManifest(join(models, manifest.name), { ...manifest, measured });
  }
  if (flags.json) console.log(JSON.stringify({ model: manifest.name, task: manifest.task, rows }));
  else console.table(rows.map(({ condition, ...row }) => ({ ...condition, ...row })));
}

async function evaluateBundle(
  models: string,
  manifest: Manifest,
  conditions: readonly Condition[],
  metric: Metric,
  stopping: StoppingParameters,
): Promise<Measurement[]> {
  const engine = await startEngine(models, [manifest.name]);
  const bar = new WorkBar();
  const total = countCases(conditions);
  let done = 0;
  try {
    return await evaluate(engine, manifest, conditions, metric, stopping, () =>
      bar.update('measuring', ++done / total),
    );
  } finally {
    bar.stop();
    await engine.close();
  }
}

/** The bundle of this name, or the task's default. @throws Error where there is none */
async function chooseBundle(
  models: string,
  task: Manifest['task'],
  name: string | undefined,
): Promise<Manifest> {
  const { bundles } = await loadBundles(models);
  const candidates = bundles
    .map(({ manifest }) => manifest)
    .filter((manifest) => manifest.task === task);
  const chosen =
    name === undefined
      ? (candidates.find((manifest) => manifest.default) ?? candidates[0])
      : candidates.find((manifest) => manifest.name === name);
  if (chosen) return chosen;
  if (candidates.length === 0) throw new Error(`No model in ${models} is for ${task}.`);
  throw new Error(
    `There is no model ${name} for ${task}; there are ${candidates.map((manifest) => manifest.name).join(', ')}.`,
  );
}

function toStopping(flags: FlagsOf<typeof common>): StoppingParameters {
  const rule = ruleNames.find((name) => name === flags.rule);
  if (flags.rule !== undefined && !rule)
    throw new Error(`--rule must be one of ${ruleNames.join(', ')}.`);
  const number = (flag: 'threshold' | 'depth' | 'seed' | 'max-depth'): number | undefined => {
    const text = flags[flag];
    return text === undefined ? undefined : toNumber(`--${flag}`, text);
  };
  const given = {
    rule,
    threshold: number('threshold'),
    depth: number('depth'),
    seed: number('seed'),
    maxDepth: number('max-depth'),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
