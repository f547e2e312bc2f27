/** `train`: learns a model from the user's data or matrix, writes its bundle, and measures it. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { areRivals, SCHEMA_VERSION, type Manifest } from '../bundle/manifest.ts';
import { loadBundles, readManifest } from '../bundle/read.ts';
import { writeBundle, writeManifest } from '../bundle/write.ts';
import { measure } from '../evaluation/measure.ts';
import { readWeights } from '../training/from-bundle.ts';
import { providers, requireProvider, type Provider } from '../runtime/session.ts';
import type { Weights } from '../training/weights.ts';
import { denoisePlan } from './plans/denoise.ts';
import { fewShotPlan } from './plans/few-shot.ts';
import { parseFlags, positive, type Flags, type Plan } from './plans/plan.ts';
import { recognizePlan } from './plans/recognize.ts';
import { recoveryPlan } from './plans/sparse-recovery.ts';
import { ProgressBar } from './progress.ts';

const plans: Partial<Record<Manifest['task'], (flags: Flags) => Promise<Plan>>> = {
  'sparse-recovery': recoveryPlan,
  denoise: denoisePlan,
  recognize: recognizePlan,
  'few-shot': fewShotPlan,
};

export const usage = `npm run train -- sparse-recovery [--matrix A.npy] [--data SIGNALS.npy] [--form vamp|coupled|published]
npm run train -- denoise --data DIR [--channels 1|3] [--form half|published]
npm run train -- recognize --data DIR [--channels 1|3], with a folder of images in DIR for each class
npm run train -- few-shot --data DIR [--ways N] [--channels 1|3] [--form stop|fixed]
  --config FILE   JSON over the defaults        --name NAME     the bundle's name
  --minutes N     time for the first stage      --from NAME     start from that bundle's weights
  --resume        go on from the checkpoint     --validate DIR  data to measure on where the task has any;
                                                                a tenth of --data is held out without it
  --provider P    what runs the steps: cpu, webgpu or cuda; measuring is done on the CPU
  --default       serve it when no model is named, in place of the one before`;

const MODELS = process.env.MODELS_DIR ?? 'models';

export async function train(args: string[]): Promise<void> {
  const { values, positionals } = parseFlags(args);
  const task = positionals[0];
  const plan = plans[task as Manifest['task']];
  if (!plan)
    throw new Error(
      `${task ? `There is no training for ${task}` : 'Say what to train'}:\n${usage}`,
    );
  return trainOn(values, await plan(values));
}

async function trainOn(flags: Flags, plan: Plan): Promise<void> {
  const folder = join('checkpoints', plan.name);
  const provider = flags.provider as Provider;
  if (!providers.includes(provider))
    throw new Error(`--provider must be one of ${providers.join(', ')}, not ${provider}.`);
  await requireProvider(provider, '--provider cpu');
  const from = flags.from === undefined ? undefined : await start(join(MODELS, flags.from));
  const bar = new ProgressBar();
  let interrupted = false;
  const interrupt = (): void => void (interrupted = true);
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.once(signal, interrupt);
  const trained = await plan
    .run({
      threads:
        flags.threads === undefined ? availableParallelism() : positive('--threads', flags.threads),
      provider,
      folder,
      resume: flags.resume,
      checkpointSeconds: 60,
      ...(from && { from: from.weights }),
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
      ...(plan.limits && { limits: plan.limits }),
      training: { ...trained.provenance, ...(from && { from: from.provenance }) },
      task_files: [...plan.taskFiles.keys()],
    },
    new Map([...contents, ...plan.taskFiles]),
  );
  console.log(`Wrote ${directory}; measuring it on data it was not trained on …`);
  const measured = await measure(manifest, MODELS, plan.test);
  await writeManifest(directory, { ...manifest, ...measured });
  if (manifest.default) await displaceRivals(manifest);
  console.table(
    measured.measured!.threshold.map(({ condition, ...row }) => ({ ...condition, ...row })),
  );
  console.log(
    `Ready: npm start serves it; ask for it with ?model=${plan.name}, at the calibrated threshold ${measured.threshold}.`,
  );
}

/** What was the default until now is one no longer. */
async function displaceRivals(chosen: Manifest): Promise<void> {
  const { bundles } = await loadBundles(MODELS);
  for (const { directory, manifest } of bundles) {
    if (!manifest.default || manifest.name === chosen.name || !areRivals(manifest, chosen))
      continue;
    await writeManifest(directory, { ...manifest, default: false });
    console.log(`${manifest.name} is the default no longer.`);
  }
}

/** What a bundle gives to start from: its weights, and how it came by them. */
async function start(
  directory: string,
): Promise<{ weights: Weights; provenance: Record<string, unknown> }> {
  const weights = await readWeights(directory);
  const { name, training } = await readManifest(directory);
  return { weights, provenance: { name, ...training } };
}
