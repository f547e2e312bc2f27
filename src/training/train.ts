/** A training run from its options to the lowered model: data, stages, progress, checkpoints. */
import type { Planes } from '../codecs/images.ts';
import {
  fewestImages,
  holdOut,
  holdOutClasses,
  type LabelledImages,
} from '../data/class-folders.ts';
import { EpisodeSampler } from '../data/episodes.ts';
import { PatchSampler } from '../data/images.ts';
import { LabelledSampler } from '../data/labelled-batches.ts';
import { Random } from '../data/random.ts';
import { scalesOf, SignalSampler, type Matrix, type Signals } from '../data/sparse-recovery.ts';
import type { Family } from '../families/family.ts';
import { tensor } from '../runtime/session.ts';
import { denoiseStages, usualError, type DenoiseConfig } from './denoise.ts';
import { lower, perPixel, perSample, perTask, type Lowered } from './export.ts';
import { fewShotStages, leastClasses, toBatch, type FewShotConfig } from './few-shot.ts';
import { runStages, type LoopOptions, type Source } from './loop.ts';
import { recognizeStages, type RecognizeConfig } from './recognize.ts';
import { recoveryStages, type RecoveryConfig } from './sparse-recovery.ts';
import type { Batches } from './stages.ts';
import { initialWeights, type Weights } from './weights.ts';

export type RunOptions = Pick<
  LoopOptions,
  'threads' | 'provider' | 'folder' | 'resume' | 'checkpointSeconds' | 'onProgress' | 'interrupted'
> & {
  /** Weights to start from, by parameter name; those that are missing are drawn. */
  readonly from?: Weights;
};

export interface Trained {
  readonly lowered: Lowered;
  /** What the manifest says of the training. */
  readonly provenance: Record<string, unknown>;
}

/** Learns to denoise from clean images, all gray or all in colour. */
export async function trainDenoise(
  config: DenoiseConfig,
  images: readonly Planes[],
  options: RunOptions,
): Promise<Trained> {
  const random = new Random(config.seed);
  const { channels, batch, patch } = config;
  const sampler = new PatchSampler(images, random, patch, batch, config);
  const dims = [batch, channels, patch, patch];
  const next = (progress?: number) => {
    const { image, clean, sigma } = sampler.next(progress);
    const weight = Float32Array.from(sigma, (value) => 1 / usualError(value));
    return {
      image: tensor(image, dims),
      clean: tensor(clean, dims),
      weight: tensor(weight, [batch]),
    };
  };
  const { family, stages } = denoiseStages(config, { next });
  const weights = startingWeights(family, random, options.from);
  const spent = await runStages(stages, { ...options, weights, source: sourceOf(random), config });
  return {
    lowered: lower(family, weights, perPixel),
    provenance: { config, stages: spent, data: `${images.length} images`, seed: config.seed },
  };
}

/** Learns to recover sparse signals from measurements through a given matrix. */
export async function trainRecovery(
  config: RecoveryConfig,
  matrix: Matrix,
  options: RunOptions,
  signals?: Signals,
): Promise<Trained> {
  const random = new Random(config.seed);
  const { batch } = config;
  const sampler = new SignalSampler(matrix, random, batch, { ...config, signals });
  const next = () => {
    const { measurements, signals } = sampler.next();
    return {
      measurements: tensor(measurements, [batch, matrix.rows]),
      truth: tensor(signals, [batch, matrix.columns]),
    };
  };
  const { family, stages } = recoveryStages(config, matrix, { next }, signals && scalesOf(signals));
  const weights = startingWeights(family, random, options.from);
  const spent = await runStages(stages, { ...options, weights, source: sourceOf(random), config });
  return {
    lowered: lower(family, weights, perSample),
    provenance: {
      config,
      stages: spent,
      data: signals
        ? `${signals.count} signals`
        : `drawn for a matrix of ${matrix.rows}×${matrix.columns}`,
      seed: config.seed,
    },
  };
}

/** Learns to recognise the classes of labelled images. */
export async function trainRecognize(
  config: RecognizeConfig,
  data: LabelledImages,
  options: RunOptions,
): Promise<Trained> {
  const { batch, channels, side, seed } = config;
  const { training, held } = splitForPolicy(config, data);
  const whole = { ...config, crop: side, smoothing: 0 };
  const samplers = [
    new LabelledSampler(training, seed, batch, {
      ...config,
      shift: config.crop < side ? 0 : config.shift,
    }),
    new LabelledSampler(training, seed + 1, batch, whole),
    new LabelledSampler(held, seed + 2, batch, whole),
  ] as const;
  const batches = (sampler: LabelledSampler, size: number): Batches => ({
    next() {
      const { image, truth } = sampler.next();
      return {
        image: tensor(image, [batch, channels, size, size]),
        truth: tensor(truth, [batch, data.labels.length]),
      };
    },
  });
  const { family, stages } = recognizeStages(config, data.labels.length, {
    layers: batches(samplers[0], config.crop),
    whole: batches(samplers[1], side),
    policy: batches(samplers[2], side),
  });
  const weights = startingWeights(family, new Random(seed), options.from);
  const source: Source = {
    state: () => samplers.map((sampler) => sampler.state()),
    restore: (state) =>
      samplers.forEach((sampler, i) =>
        sampler.restore((state as ReturnType<LabelledSampler['state']>[])[i]!),
      ),
  };
  const spent = await runStages(stages, { ...options, weights, source, config });
  return {
    lowered: lower(family, weights, perSample),
    provenance: {
      config,
      stages: spent,
      data: `${data.images.length} images of ${data.labels.length} classes`,
      seed,
    },
  };
}

/** The images that the layers learn from, and those that the policy learns from. */
export const splitForPolicy = (
  { held, seed }: RecognizeConfig,
  data: LabelledImages,
): ReturnType<typeof holdOut> => holdOut(data, held, new Random(seed));

/** Learns to learn from a few images, from the images of many classes. */
export async function trainFewShot(
  config: FewShotConfig,
  images: LabelledImages,
  options: RunOptions,
): Promise<Trained> {
  const random = new Random(config.seed);
  const { layers, policy } = classesForPolicy(config, images);
  const draw = (sampler: EpisodeSampler, count: number) =>
    toBatch(
      Array.from({ length: count }, () => sampler.next()),
      config,
    );
  const sampler = new EpisodeSampler(
    layers,
    random,
    { ...config, turns: config.augment.turns },
    config.augment,
  );
  const { family, stages } = fewShotStages(config, {
    next: () => draw(sampler, config.batch),
    policyTasks() {
      const { ways, queries: most } = config.stageTwo;
      const queries = Math.max(
        config.queries,
        Math.min(most, fewestImages(policy) - config.shots[1]),
      );
      const tasks = new EpisodeSampler(policy, new Random(config.seed + 2), {
        ...config,
        ways,
        queries,
      });
      return () => draw(tasks, 1);
    },
    random,
  });
  const weights = startingWeights(family, random, options.from);
  const spent = await runStages(stages, { ...options, weights, source: sourceOf(random), config });
  return {
    lowered: lower(family, weights, perTask),
    provenance: {
      config,
      stages: spent,
      data: `${images.images.length} images of ${images.labels.length} classes`,
      seed: config.seed,
    },
  };
}

/**
 * The classes whose tasks the layers learn from, and those whose tasks the policy learns from: others, since on classes that
 * the layers know the first step is better than it will be. The same where there are too few, or no policy.
 */
export function classesForPolicy(
  config: FewShotConfig,
  images: LabelledImages,
): { layers: LabelledImages; policy: LabelledImages; apart: boolean } {
  const least = leastClasses(config);
  const classes = images.labels.length;
  const count = Math.max(least, Math.floor(config.held * classes));
  if (config.form === 'fixed' || config.held === 0 || classes - count < least)
    return { layers: images, policy: images, apart: false };
  const { training, held } = holdOutClasses(images, count, new Random(config.seed + 1));
  return { layers: training, policy: held, apart: true };
}

function startingWeights(family: Family, random: Random, from: Weights = new Map()): Weights {
  const weights = initialWeights(family, random.normal);
  for (const [name, data] of from) {
    const role = family.parameters.get(name)?.role;
    const fits = weights.get(name)?.length === data.length;
    // What does not fit of a policy, since it sees something else, is drawn anew.
    if (role === 'constant' || (role === 'policy' && !fits)) continue;
    if (!fits) {
      throw new Error(
        `The weights to start from have a ${name} of ${data.length} values, which this model has not.`,
      );
    }
    weights.set(name, data);
  }
  return weights;
}

const sourceOf = (random: Random): Source => ({
  state: () => random.state(),
  restore: (state) => random.restore(state as number[]),
});
