/** `train`: trains a model, writes its bundle and measures it. */
import { access } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import Value from 'typebox/value';
import { Manifest, SCHEMA_VERSION, type Measurement } from '../bundle/manifest.ts';
import { loadBundles, readManifest } from '../bundle/read.ts';
import { writeBundle, writeManifest } from '../bundle/write.ts';
import { FEW_SAMPLES } from '../evaluation/evaluate.ts';
import { measure } from '../evaluation/measure.ts';
import { providers, requireProvider, type Provider } from '../runtime/session.ts';
import { ConfigFile } from '../training/config.ts';
import { toPositive, type FlagTable } from '../training/flags.ts';
import { readWeights } from '../training/from-bundle.ts';
import type { Recipe, TrainingPlan } from '../training/recipe.ts';
import { checkpointFile } from '../training/stage-run.ts';
import { train, type Trained, type TrainOptions } from '../training/train.ts';
import type { Weights } from '../training/weights.ts';
import { CurvePage } from './curve-page.ts';
import { ProgressBar, WorkBar } from './progress.ts';
import { policyUsage, trainPolicyCommand } from './train-policy.ts';
import { parseTask, usageFor, usualFolders, type Folders, type TaskCommand } from './tasks.ts';

const common = {
  config: { type: 'string', value: 'FILE', help: 'JSON over the default configuration' },
  name: { type: 'string', value: 'NAME', help: "the bundle's name" },
  from: { type: 'string', value: 'NAME', help: "start from that bundle's weights" },
  minutes: { type: 'string', value: 'N', help: 'time limit of the training, all stages together' },
  threads: { type: 'string', value: 'N', help: 'threads of an operator; all cores where absent' },
  provider: {
    type: 'string',
    value: 'NAME',
    default: 'cpu',
    help: 'what runs the steps: cpu, webgpu or cuda; measuring runs on the CPU',
  },
  resume: { type: 'boolean', default: false, help: 'continue from the checkpoint' },
  fresh: { type: 'boolean', default: false, help: 'start anew and overwrite the checkpoint' },
  replace: {
    type: 'boolean',
    default: false,
    help: 'replace the bundle of this name; it stays the default if it was',
  },
  default: {
    type: 'boolean',
    default: false,
    help: 'serve it when a request names no model, in place of the present default',
  },
} as const satisfies FlagTable;

const command: TaskCommand<typeof common> = {
  name: 'train',
  common,
  own: 'trainFlags',
  noTask: 'Say what to train',
  unknownTask: (task) => `There is no training for ${task}`,
};

/** Help text of `train`: the flags of each task, then those of all. */
export const usage = `${usageFor(command)}\n\n${policyUsage}`;

/** A training run with its bundle's place, checked before any work. */
interface TrainingJob {
  readonly recipe: Recipe;
  readonly plan: TrainingPlan<Recipe['defaults'], unknown>;
  readonly name: string;
  readonly isDefault: boolean;
  readonly options: Omit<TrainOptions, 'onProgress' | 'interrupted'>;
  /** What the weights come from, for the manifest. */
  readonly from?: Readonly<Record<string, unknown>>;
}

/**
 * Trains a model, writes its bundle, measures it and records the figures in its manifest.
 * @throws Error where flags, configuration or data are invalid, the provider is unavailable, or a
 *   checkpoint or bundle would be overwritten without being asked for
 */
export async function trainCommand(
  args: readonly string[],
  folders: Folders = usualFolders(),
): Promise<void> {
  if (args[0] === 'policy') return trainPolicyCommand(args.slice(1));
  const job = await prepare(args, folders);
  const trained = await trainWithProgress(job);
  const directory = join(folders.models, job.name);
  const manifest = await writeBundle(directory, ...bundleOf(job, trained));
  console.log(`Wrote ${directory}; measuring it on data it was not trained on …`);
  const measured = await measureWithProgress(job, manifest, folders.models);
  await writeManifest(directory, { ...manifest, ...measured });
  if (manifest.default) await displaceRivals(job.recipe, manifest, folders.models);
  console.table(
    measured.measured.threshold.map(({ condition, ...row }) => ({ ...condition, ...row })),
  );
  const doubt = doubtOf(measured.measured.threshold);
  if (doubt !== undefined) console.error(doubt);
  const failure = job.recipe.failure?.(measured.measured.threshold);
  if (failure !== undefined) console.error(`${job.name} is of no use: ${failure}`);
  else
    console.log(
      `Ready: npm start serves it; ask for it with ?model=${job.name}, at the calibrated threshold ${measured.threshold}.`,
    );
}

/** Reads flags, configuration and data. @throws Error that says what to change */
async function prepare(
  args: readonly string[],
  { models, checkpoints }: Folders,
): Promise<TrainingJob> {
  const { recipe, flags } = parseTask(command, args);
  if (flags.name !== undefined) checkName(flags.name);
  const minutes = flags.minutes === undefined ? undefined : toPositive('--minutes', flags.minutes);
  const threads =
    flags.threads === undefined ? availableParallelism() : toPositive('--threads', flags.threads);
  const provider = toProvider(flags.provider);
  await requireProvider(provider, '--provider cpu');
  const plan = await recipe.plan(flags, await ConfigFile.read(flags.config));
  const name = flags.name ?? plan.name;
  const folder = join(checkpoints, name);
  await checkCheckpoint(folder, flags);
  const replaced = await checkBundle(join(models, name), flags.replace);
  const from = flags.from === undefined ? undefined : await readStart(join(models, flags.from));
  return {
    recipe,
    plan,
    name,
    isDefault: flags.default || (replaced?.default ?? false),
    options: {
      threads,
      provider,
      folder,
      resume: flags.resume,
      checkpointSeconds: 60,
      ...(minutes !== undefined && { minutes }),
      ...(from && { from: from.weights }),
    },
    ...(from && { from: from.provenance }),
  };
}

function checkName(name: string): void {
  const schema = Manifest.properties.name;
  if (!Value.Check(schema, name))
    throw new Error(
      `--name must begin with a lower-case letter or a digit and hold only these, '.', '_' and '-', not ${name}.`,
    );
}

function toProvider(text: string): Provider {
  const provider = providers.find((one) => one === text);
  if (!provider) throw new Error(`--provider must be one of ${providers.join(', ')}, not ${text}.`);
  return provider;
}

/** @throws Error where training would overwrite a checkpoint without being told to */
async function checkCheckpoint(
  folder: string,
  { resume, fresh }: { readonly resume: boolean; readonly fresh: boolean },
): Promise<void> {
  if (resume && fresh) throw new Error('--resume and --fresh exclude each other.');
  const file = checkpointFile(folder);
  if (!resume && !fresh && (await exists(file)))
    throw new Error(`${file} exists: continue with --resume, or overwrite it with --fresh.`);
}

/**
 * The manifest of the bundle that is replaced, if there is one that can be read.
 * @throws Error where training would replace a bundle without being told to
 */
async function checkBundle(directory: string, replace: boolean): Promise<Manifest | undefined> {
  if (!(await exists(directory))) return undefined;
  if (!replace)
    throw new Error(
      `The bundle ${directory} exists: replace it with --replace, or choose another --name.`,
    );
  return readManifest(directory).catch(() => undefined);
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The weights of a bundle to start from, and how they were trained. */
async function readStart(
  directory: string,
): Promise<{ weights: Weights; provenance: Record<string, unknown> }> {
  const weights = await readWeights(directory);
  const { name, training } = await readManifest(directory);
  return { weights, provenance: { name, ...training } };
}

/** Trains with a progress bar; SIGINT and SIGTERM stop the run after a checkpoint. */
async function trainWithProgress({ recipe, plan, name, options }: TrainingJob): Promise<Trained> {
  const bar = new ProgressBar();
  const page = new CurvePage(name, options.folder);
  let interrupted = false;
  const interrupt = (): void => void (interrupted = true);
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.once(signal, interrupt);
  try {
    return await train(recipe, plan.config, plan.data, {
      ...options,
      onProgress: (progress) => {
        bar.update(progress);
        page.update(progress);
      },
      interrupted: () => interrupted,
    });
  } finally {
    bar.stop();
    page.close();
    for (const signal of signals) process.removeListener(signal, interrupt);
  }
}

/** The manifest and the files of a trained bundle. */
function bundleOf(
  { recipe, plan, name, isDefault, from }: TrainingJob,
  { lowered: { contents, ...lowered }, provenance }: Trained,
): [Omit<Manifest, 'files'>, ReadonlyMap<string, Uint8Array>] {
  const manifest: Omit<Manifest, 'files'> = {
    schema_version: SCHEMA_VERSION,
    name,
    version: '1',
    description: plan.description,
    task: recipe.task,
    default: isDefault,
    ...(plan.baseline && { baseline: true }),
    ...lowered,
    ...plan.requests,
    training: { ...provenance, ...(from && { from }) },
    task_files: [...plan.taskFiles.keys()],
  };
  return [manifest, new Map([...contents, ...plan.taskFiles])];
}

async function measureWithProgress(
  { recipe, plan }: TrainingJob,
  manifest: Manifest,
  models: string,
): ReturnType<typeof measure> {
  const bar = new WorkBar();
  try {
    return await measure(manifest, models, plan.test, {
      metric: recipe.metric,
      calibrationLoss: recipe.calibrationLoss,
      onProgress: (share) => bar.update('measuring', share),
    });
  } finally {
    bar.stop();
  }
}

/** What a measurement on few samples cannot tell, in a sentence; undefined where there are enough. */
function doubtOf(rows: readonly Measurement[]): string | undefined {
  const fewest = Math.min(...rows.map(({ n }) => n));
  if (fewest >= FEW_SAMPLES) return undefined;
  const widest = Math.max(...rows.map(({ half_width: half = Number.NaN }) => half));
  const known = Number.isFinite(widest) ? `known to ± ${widest} (95 %)` : 'not known';
  return `Measured on ${fewest} samples: the quality is ${known}, and the threshold no better. Add data, or name some by --validate.`;
}

/** Ends the `default` of the models that the chosen one takes the place of. */
async function displaceRivals(recipe: Recipe, chosen: Manifest, models: string): Promise<void> {
  const { bundles } = await loadBundles(models);
  for (const { directory, manifest } of bundles) {
    const isRival = manifest.task === chosen.task && recipe.areRivals(manifest, chosen);
    if (!manifest.default || manifest.name === chosen.name || !isRival) continue;
    await writeManifest(directory, { ...manifest, default: false });
    console.log(`${manifest.name} is the default no longer.`);
  }
}
