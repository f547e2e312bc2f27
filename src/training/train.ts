/** One training run, the same for every task: from a recipe, a configuration and data to the lowered model. */
import { Random } from '../data/random.ts';
import type { Family } from '../families/family.ts';
import { lower, type Lowered } from './export.ts';
import { runStages, type LoopOptions } from './loop.ts';
import type { BaseConfig, Recipe } from './recipe.ts';
import type { Source } from './stage-run.ts';
import { initialWeights, type Weights } from './weights.ts';

/** Options of a training run that do not follow from its recipe and configuration. */
export type TrainOptions = Omit<LoopOptions, 'weights' | 'source' | 'config'> & {
  /** Weights to start from, by parameter name; those that are missing are drawn. */
  readonly from?: Weights;
};

/** A trained model, ready to be written as a bundle. */
export interface Trained {
  readonly lowered: Lowered;
  /** What the manifest says of the training. */
  readonly provenance: Readonly<Record<string, unknown>>;
}

/** @throws Interrupted where the run was asked to stop; the checkpoint holds what was learnt */
export async function train<Config extends BaseConfig, Data>(
  recipe: Pick<Recipe<Config, Data>, 'setUp' | 'describe' | 'flopsUnit'>,
  config: Config,
  data: Data,
  { from, ...options }: TrainOptions,
): Promise<Trained> {
  const random = new Random(config.seed);
  const { family, stages, source = sourceOf(random) } = recipe.setUp(config, data, random);
  const weights = startingWeights(family, random, from);
  const reports = await runStages(stages, { ...options, weights, source, config });
  return {
    lowered: lower(family, weights, recipe.flopsUnit),
    provenance: { config, stages: reports, data: recipe.describe(data), seed: config.seed },
  };
}

function startingWeights(family: Family, random: Random, from: Weights = new Map()): Weights {
  const weights = initialWeights(family, random.normal);
  for (const [name, data] of from) {
    const role = family.parameters.get(name)?.role;
    // A model with other exits lacks some of the policies.
    if (role === undefined && name.startsWith('policy-')) continue;
    const fits = weights.get(name)?.length === data.length;
    // A policy whose inputs have changed is drawn anew.
    if (role === 'constant' || ((role === 'policy' || role === 'statistic') && !fits)) continue;
    if (!fits)
      throw new Error(
        `The weights to start from have ${name} with ${data.length} values, which this model does not have.`,
      );
    weights.set(name, data);
  }
  return weights;
}

const sourceOf = (random: Random): Source => ({
  state: () => random.state(),
  restore: (state) => random.restore(state),
});
