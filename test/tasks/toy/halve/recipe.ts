/** How the toy's models are trained and measured: one factor, learnt from random numbers. What a recipe has to have. */
import Type, { type Static } from 'typebox';
import { Random } from '../../../../src/data/random.ts';
import type { Case, TestData } from '../../../../src/evaluation/data.ts';
import { nmse } from '../../../../src/evaluation/metrics.ts';
import { randomOf, type Part, type Traffic } from '../../../../src/evaluation/traffic.ts';
import { constant, Parameters, type Family } from '../../../../src/families/family.ts';
import { square } from '../../../../src/graph/functions.ts';
import { input, mul, reduceMean, sub } from '../../../../src/graph/operators.ts';
import { tensor } from '../../../../src/runtime/session.ts';
import type { Recipe } from '../../../../src/training/recipe.ts';
import { stageOneOf, stageOneSchema } from '../../../../src/training/stages.ts';

/** How many numbers a sample has in training. */
const COUNT = 4;

const schema = Type.Object({
  seed: Type.Integer(),
  batch: Type.Integer({ minimum: 1 }),
  stageOne: stageOneSchema,
});
const defaults: Static<typeof schema> = {
  seed: 1,
  batch: 8,
  stageOne: { steps: 200, rate: 0.02, beta: 'last' },
};

/** Numbers [N,k] times a factor that is learnt. */
function halving(): Family {
  const parameters = new Parameters();
  const factor = parameters.define('factor', [1], constant(1, 1));
  return {
    name: 'halving',
    depth: 1,
    exits: [1],
    inputs: { numbers: ['N', 'k'] },
    outputs: ['halves'],
    parameters: parameters.all,
    layer: (_, { numbers }) => ({ halves: mul(numbers!, factor) }),
    policy: () => {
      throw new Error('one exit needs no policy');
    },
  };
}

/** Normal numbers and their halves, for `samples` samples. */
function draw(random: Random, samples: number): { numbers: Float32Array; halves: Float32Array } {
  const numbers = Float32Array.from({ length: samples * COUNT }, random.normal);
  return { numbers, halves: numbers.map((value) => value / 2) };
}

function drawCase(random: Random): Case {
  const { numbers, halves } = draw(random, 1);
  return { sample: { numbers: { data: numbers, dims: [COUNT] } }, truth: halves };
}

const test: TestData = {
  name: 'random numbers',
  conditions(_, seed) {
    const random = new Random(seed);
    const cases = Array.from({ length: 10 }, () => drawCase(random));
    return [{ label: { numbers: COUNT }, cases }];
  },
};

const trafficOf = (part: Part, seed: number): Traffic => ({
  part,
  draw: (i) => {
    const kind = 'normal';
    const source = `${part} ${seed}/${i}`;
    return Promise.resolve({ kind, source, ...drawCase(randomOf(part, seed, i)) });
  },
});

export const halve: Recipe<Static<typeof schema>, undefined> = {
  task: 'halve',
  schema,
  defaults,
  flopsUnit: { per: 'sample', symbols: { N: 1, k: COUNT }, divisor: 1 },
  metric: nmse,
  calibrationLoss: 0.1,
  trainFlags: {},
  evaluateFlags: {},
  calibrateFlags: {},
  plan: (_, file) =>
    Promise.resolve({
      config: file.over(schema, defaults),
      data: undefined,
      name: 'halver',
      description: 'Halves numbers.',
      baseline: false,
      taskFiles: new Map(),
      test,
    }),
  setUp({ batch, stageOne }, _, random) {
    const family = halving();
    const shape = [batch, COUNT];
    const { halves } = family.layer(1, { numbers: input('numbers', shape) });
    const loss = reduceMean(square(sub(halves!, input('truth', shape))), [1]);
    const next = () => {
      const drawn = draw(random, batch);
      return { numbers: tensor(drawn.numbers, shape), truth: tensor(drawn.halves, shape) };
    };
    return { family, stages: [stageOneOf(family, [loss], stageOne, { next })] };
  },
  describe: () => 'random numbers',
  family: halving,
  testData: () => Promise.resolve(test),
  traffic: (_flags, _manifest, _modelsDir, seed) =>
    Promise.resolve({
      name: 'random numbers',
      selection: trafficOf('selection', seed),
      certification: trafficOf('certification', seed),
      count: 100,
      repeats: 1,
    }),
  areRivals: () => true,
};
