// A small MAML-stop model, one task, and what the graphs make of both, as JSON for meta-gradient.py to compare with.
import { Random } from '../dist/data/random.js';
import { oneHot } from '../dist/data/episodes.js';
import { defineMaml } from '../dist/families/maml.js';
import { logSoftmax } from '../dist/graph/functions.js';
import { gradient } from '../dist/graph/gradient.js';
import { toModel } from '../dist/graph/model.js';
import { input, mul, neg, reduceMean, reduceSum } from '../dist/graph/operators.js';
import { floats, Session, tensor } from '../dist/runtime/session.js';
import { initialWeights } from '../dist/training/weights.js';
import { unroll } from '../dist/training/unroll.js';

const config = {
  channels: 1,
  side: 28,
  background: 1,
  features: 6,
  depth: 4,
  exits: [1, 2, 3, 4],
  hidden: 4,
};
/** Images of each class to learn from: a different number for each. */
const SHOTS = [1, 2, 3, 5];
const QUERIES = 3;

const random = new Random(11);
const uniform = (count) => Float32Array.from({ length: count }, () => random.uniform());
const classes = Float32Array.from(SHOTS.flatMap((shots, k) => new Array(shots).fill(k)));
const truth = Float32Array.from(SHOTS.flatMap((_, k) => new Array(QUERIES).fill(k)));
const ways = SHOTS.length;
const image = [config.channels, config.side, config.side];
const images = (count) => ({
  shape: [1, count, ...image],
  data: uniform(count * config.side ** 2 * config.channels),
});
const task = {
  support: images(classes.length),
  labels: { shape: [1, classes.length, ways], data: oneHot(classes, ways) },
  query: images(truth.length),
  targets: { shape: [1, truth.length, ways], data: oneHot(truth, ways) },
};

/** The logits and the outer losses after every step, and the gradients of the last loss by all that is learnt. */
async function run(order) {
  const family = defineMaml({ ...config, order });
  const weights = initialWeights(family, new Random(3).normal);
  // Steps large enough for the gradient of the gradient to count.
  for (const [name, data] of weights)
    if (/^rate-[^1]/.test(name)) data.fill(name.endsWith('head') ? 1 : 0.2);
  const inputs = Object.fromEntries(
    Object.entries(family.inputs).map(([name, shape]) => [name, input(name, shape)]),
  );
  const { outputs } = unroll(family, inputs);
  const targets = input('targets', [1, 'Q', 'K']);
  const losses = outputs.map(({ logits }) =>
    neg(reduceMean(reduceSum(mul(targets, logSoftmax(logits, 2)), [2]))),
  );
  const learnt = [...family.parameters].filter(([, { role }]) => role === 'model');
  const gradients = gradient(
    losses.at(-1),
    learnt.map(([, { value }]) => value),
  );
  const named = (kind, values) =>
    Object.fromEntries(values.map((value, i) => [`${kind} ${i}`, value]));
  const logits = outputs.map((read) => read.logits);
  const graph = {
    ...named('logits', logits),
    ...named('loss', losses),
    ...named('gradient', gradients),
  };
  const session = await Session.load(toModel({ outputs: graph }));
  const parameters = Object.fromEntries(
    learnt.map(([name, { value }]) => [name, { shape: value.shape, data: weights.get(name) }]),
  );
  const known = { ...task, ...parameters };
  const found = await session.run(
    Object.fromEntries(
      session.inputs.map(({ name }) => [name, tensor(known[name].data, known[name].shape)]),
    ),
  );
  await session.release();
  const listed = (kind, values) => values.map((_, i) => [...floats(found[`${kind} ${i}`])]);
  return {
    parameters,
    logits: listed('logits', logits),
    losses: listed('loss', losses).flat(),
    gradients: Object.fromEntries(
      learnt.map(([name], i) => [name, [...floats(found[`gradient ${i}`])]]),
    ),
  };
}

const second = await run('second');
const first = await run('first');
const plain = (tensors) =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [name, { shape, data: [...data] }]),
  );
const { parameters, ...answers } = second;
console.log(
  JSON.stringify({
    config,
    task: plain(task),
    parameters: plain(parameters),
    second: answers,
    first: { gradients: first.gradients },
  }),
);
