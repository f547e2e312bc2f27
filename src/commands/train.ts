/** `train`: learns a model from the user's data or matrix, writes its bundle, and measures it. */
import { access, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join, parse } from 'node:path';
import { parseArgs } from 'node:util';
import { SCHEMA_VERSION, type Manifest } from '../bundle/manifest.ts';
import { writeBundle, writeManifest } from '../bundle/write.ts';
import type { Planes } from '../codecs/images.ts';
import { readNpy, writeNpy } from '../codecs/npy.ts';
import { readImageFolder } from '../data/images.ts';
import { Random } from '../data/random.ts';
import { measurementMatrix, type Matrix } from '../data/sparse-recovery.ts';
import { withDefaults } from '../training/config.ts';
import { denoiseDefaults, type DenoiseConfig } from '../training/denoise.ts';
import { readWeights } from '../training/from-bundle.ts';
import { trainDenoise, trainRecovery, type RunOptions, type Trained } from '../training/run.ts';
import { recoveryDefaults, type RecoveryConfig } from '../training/sparse-recovery.ts';
import { freshSignals, measure, noisyImages, type TestData } from '../evaluation/measure.ts';
import { ProgressBar } from './progress.ts';

export const usage = `npm run train -- sparse-recovery [--matrix A.npy] [--form vamp|coupled|published]
npm run train -- denoise --data DIR [--channels 1|3] [--form half|published]
  --config FILE   JSON over the defaults        --name NAME     the bundle's name
  --minutes N     time for the first stage      --from NAME     start from that bundle's weights
  --resume        go on from the checkpoint     --validate DIR  images to measure on (denoise);
                                                                a tenth of DIR is held out without it
  --default       serve it when no model is named`;

const options = {
  config: { type: 'string' },
  data: { type: 'string' },
  validate: { type: 'string' },
  matrix: { type: 'string' },
  form: { type: 'string' },
  channels: { type: 'string' },
  minutes: { type: 'string' },
  name: { type: 'string' },
  from: { type: 'string' },
  threads: { type: 'string' },
  resume: { type: 'boolean', default: false },
  default: { type: 'boolean', default: false },
} as const;

const parseFlags = (args: string[]) => parseArgs({ args, options, allowPositionals: true });
type Flags = ReturnType<typeof parseFlags>['values'];

const MODELS = process.env.MODELS_DIR ?? 'models';
/** The seed of the matrix of the published experiment, where no other matrix is given. */
const MATRIX_SEED = 2020;

export async function train(args: string[]): Promise<void> {
  const { values, positionals } = parseFlags(args);
  const task = positionals[0];
  if (task === 'sparse-recovery') return trainOn(values, await recoveryPlan(values));
  if (task === 'denoise') return trainOn(values, await denoisePlan(values));
  throw new Error(`${task ? `There is no training for ${task}` : 'Say what to train'}:\n${usage}`);
}

interface Plan {
  readonly task: Manifest['task'];
  readonly name: string;
  readonly description: string;
  readonly baseline: boolean;
  readonly taskFiles: ReadonlyMap<string, Uint8Array>;
  readonly test: TestData;
  run(options: RunOptions): Promise<Trained>;
}

async function recoveryPlan(flags: Flags): Promise<Plan> {
  const form = formOf<RecoveryConfig['form']>(flags, recoveryDefaults, 'vamp');
  const config = await readConfig<RecoveryConfig>(recoveryDefaults[form], flags);
  const matrix = flags.matrix === undefined ? measurementMatrix(250, 500, new Random(MATRIX_SEED)) : await readMatrix(flags.matrix);
  const { rows, columns, data } = matrix;
  return {
    task: 'sparse-recovery',
    name: flags.name ?? (flags.matrix === undefined ? 'sparse-recovery' : slug(`sparse-recovery-${parse(flags.matrix).name}`)),
    description: `Recovers sparse signals of ${columns} numbers from ${rows} measurements.`,
    baseline: form === 'published',
    taskFiles: new Map([['matrix.npy', writeNpy({ shape: [rows, columns], data })]]),
    test: freshSignals(matrix, config),
    run: (run) => trainRecovery(config, matrix, run),
  };
}

async function denoisePlan(flags: Flags): Promise<Plan> {
  if (flags.data === undefined) throw new Error(`denoise needs a folder of clean images:\n${usage}`);
  if (flags.channels !== undefined && flags.channels !== '1' && flags.channels !== '3')
    throw new Error('--channels must be 1 (gray) or 3 (colour).');
  const wanted = flags.channels === undefined ? undefined : flags.channels === '1' ? 1 : 3;
  const form = formOf<DenoiseConfig['form']>(flags, denoiseDefaults, 'half');
  const { images } = await readImageFolder(flags.data, wanted);
  const channels = images[0]!.channels;
  const config = await readConfig<DenoiseConfig>({ ...denoiseDefaults[form], channels }, flags);
  const folder = basename(flags.data);
  const { training, test } =
    flags.validate === undefined
      ? heldOut(images, folder)
      : { training: images, test: noisyImages((await readImageFolder(flags.validate, channels)).images, basename(flags.validate)) };
  return {
    task: 'denoise',
    name: flags.name ?? slug(`denoise-${channels === 1 ? 'gray' : 'color'}-${folder}`),
    description: `Removes noise from ${channels === 1 ? 'gray' : 'colour'} images.`,
    baseline: form === 'published',
    taskFiles: new Map(),
    test,
    run: (run) => trainDenoise(config, training, run),
  };
}

/** Every tenth image, or one where there are fewer, is kept to measure on. */
function heldOut(images: readonly Planes[], folder: string): { training: Planes[]; test: TestData } {
  if (images.length < 2)
    throw new Error('One image is too few: one must be held out to measure on. Add images, or name others by --validate.');
  const every = Math.min(10, images.length);
  const kept = (i: number): boolean => i % every === every - 1;
  return {
    training: images.filter((_, i) => !kept(i)),
    test: noisyImages(
      images.filter((_, i) => kept(i)),
      `held out of ${folder}`,
    ),
  };
}

function formOf<F extends string>({ form }: Flags, defaults: Record<F, unknown>, usual: F): F {
  if (form === undefined) return usual;
  if (!Object.hasOwn(defaults, form)) throw new Error(`--form must be one of ${Object.keys(defaults).join(', ')}, not ${form}.`);
  return form as F;
}

async function trainOn(flags: Flags, plan: Plan): Promise<void> {
  const folder = join('checkpoints', plan.name);
  const bar = new ProgressBar();
  let interrupted = false;
  const interrupt = (): void => void (interrupted = true);
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.once(signal, interrupt);
  const trained = await plan
    .run({
      threads: flags.threads === undefined ? availableParallelism() : positive('--threads', flags.threads),
      folder,
      resume: flags.resume,
      checkpointSeconds: 60,
      ...(flags.from !== undefined && { from: await readWeights(join(MODELS, flags.from)) }),
      onProgress: (progress) => bar.update(progress),
      interrupted: () => interrupted,
    })
    .finally(() => {
      bar.stop();
      // What follows is short, and has nothing that must be saved.
      for (const signal of signals) process.removeListener(signal, interrupt);
    });
  const { contents, ...lowered } = trained.lowered;
  const directory = join(MODELS, plan.name);
  const manifest = await writeBundle(
    directory,
    {
      schema_version: SCHEMA_VERSION,
      name: plan.name,
      version: '1',
      description: plan.description,
      task: plan.task,
      default: flags.default,
      ...(plan.baseline && { baseline: true }),
      ...lowered,
      training: trained.provenance,
      task_files: [...plan.taskFiles.keys()],
    },
    new Map([...contents, ...plan.taskFiles]),
  );
  console.log(`Wrote ${directory}; measuring it on data it was not trained on …`);
  const measured = await measure(manifest, MODELS, plan.test);
  await writeManifest(directory, { ...manifest, ...measured });
  console.table(measured.measured!.threshold.map(({ condition, ...row }) => ({ ...condition, ...row })));
  console.log(`Ready: npm start serves it; ask for it with ?model=${plan.name}, at the calibrated threshold ${measured.threshold}.`);
}

async function readConfig<T extends object>(defaults: T, { config, minutes }: Flags): Promise<T> {
  const given: unknown = config === undefined ? {} : await readJson(config);
  const merged = withDefaults(defaults, given, config ?? 'the configuration');
  if (minutes === undefined) return merged;
  return withDefaults(merged, { stageOne: { minutes: positive('--minutes', minutes) } });
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file} is not JSON that can be read: ${(error as Error).message}`, { cause: error });
  }
}

async function readMatrix(file: string): Promise<Matrix> {
  await access(file).catch(() => {
    throw new Error(`There is no file ${file}.`);
  });
  try {
    const { shape, data } = readNpy(await readFile(file));
    if (shape.length !== 2 || shape[0]! < 1 || shape[1]! < 1) throw new RangeError(`its shape is (${shape.join(', ')}), not (m, n)`);
    if (!data.every(Number.isFinite)) throw new RangeError('it holds numbers that are not finite');
    return { rows: shape[0]!, columns: shape[1]!, data: Float32Array.from(data) };
  } catch (error) {
    throw new Error(`${file} is not a matrix that can be read: ${(error as Error).message}`, { cause: error });
  }
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${flag} must be a positive number, not ${text}.`);
  return value;
}

const slug = (name: string): string => name.toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
