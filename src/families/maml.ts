/**
 * MAML-stop: a classifier that is adapted to a few labelled images, the support set, by gradient descent; one layer is one
 * step (Finn, Abbeel & Levine 2017). The graph contains the gradient of the support loss, so training computes second
 * derivatives.
 *
 * The classifier has four blocks, each a 3×3 convolution at half the resolution before it, batch normalisation and a
 * ReLU, and a linear head. The head starts at zero, so no gradient reaches the blocks in the first step: it makes the head a
 * nearest-class-mean classifier for any number of classes. Where 0 is among the exits, that is the closed-form start, and
 * depth counts the steps after it; else it is step 1. Later steps change all parameters. Step sizes are learnt, one for each
 * tensor and step (Antoniou, Edwards & Storkey 2019).
 *
 * Normalisation uses the statistics of the support set, so the answer to a query does not depend on other queries.
 */
import { rootMeanSquare } from '../graph/functions.ts';
import { gradient } from '../graph/gradient.ts';
import {
  add,
  conv,
  div,
  expandLike,
  input,
  matmul,
  mul,
  pad,
  reduceMean,
  relu,
  reshape,
  scalar,
  spaceToDepth,
  stopGradient,
  sub,
  swapLast,
} from '../graph/operators.ts';
import { substitute } from '../graph/substitute.ts';
import { known, type Value } from '../graph/value.ts';
import { constant, normal, Parameters, type Family, type Values } from './family.ts';
import { lossOf, summary, SUMMARY_SIZE, supportOf, unwrap, type Support } from './maml-support.ts';
import { definePerceptron } from './perceptron.ts';

/** Image format, size of the classifier, and number and order of the gradient steps. */
export interface MamlConfig {
  /** 1 for gray, 3 for colour. */
  readonly channels: 1 | 3;
  /** Width and height of the images. */
  readonly side: number;
  /** Background value, used for padding: 1 for ink on white paper. */
  readonly background: number;
  readonly features: number;
  /** T, the maximum number of gradient steps; the start does not count where it is exit 0. */
  readonly depth: number;
  readonly exits: readonly number[];
  /** Width of the policy's hidden layer. */
  readonly hidden: number;
  /** `first`: training ignores second derivatives (first-order MAML). */
  readonly order: 'first' | 'second';
  /** As published, for comparison: the queries of a task are normalised together, by their own statistics. */
  readonly transductive?: boolean;
}

const BLOCKS = 4;
const EPSILON = 1e-3;
const blocks = Array.from({ length: BLOCKS }, (_, i) => i + 1);

/** The classifier's parameters by name: `kernel-i` [F,C,3,3], `scale-i` and `shift-i` [F,1,1], `head` [D,K]. */
type Classifier = Values;

interface Forward {
  /** Output of each block's convolution, [n,F,h,w]. */
  readonly convolved: readonly Value[];
  /** Mean and standard deviation used to normalise each block, [1,F,1,1]. */
  readonly means: readonly Value[];
  readonly deviations: readonly Value[];
  /** Features [n,D], scaled to root mean square 1. */
  readonly features: Value;
}

/** support [1,S,C,side,side] and query [1,Q,C,side,side] in [0,1], labels [1,S,K] one-hot → logits [1,Q,K]. */
export function defineMaml(config: MamlConfig): Family {
  const { channels, side, background, depth, exits, order, transductive = false } = config;
  const first = exits[0] === 0 ? 0 : 1;
  const parameters = new Parameters();
  const { initial, rates, tempers, policies } = defineParameters(parameters, config);
  const bodyNames = Object.keys(initial);
  const names = [...bodyNames, 'head'];

  /** [1,n,C,side,side] as a batch of images whose background is zero. */
  const imagesOf = (x: Value): Value =>
    sub(reshape(x, [x.shape[1]!, channels, side, side]), background);

  /** The adapted classifier in the states; parameters that no step has changed keep their initial values. */
  const classifier = (read: Values): Classifier =>
    Object.fromEntries(
      names.map((name) => [name, read[fast(name)] ? unwrap(read[fast(name)]!) : initial[name]!]),
    );

  /** One gradient step, with a step size for each parameter in `gradients`. Rates and tempers count from `first` on. */
  const step = (t: number, p: Classifier, gradients: Values, { ways }: Support): Classifier => {
    const moved = Object.entries(gradients).map(([name, gradient]) => {
      const g = order === 'first' ? stopGradient(gradient) : gradient;
      const rate = rates[t - first]!.get(name)!;
      // Each row of the head gets the gradient of its own class, so its step does not shrink with the number of classes.
      return [name, sub(p[name]!, mul(g, name === 'head' ? mul(rate, ways) : rate))] as const;
    });
    return { ...p, ...Object.fromEntries(moved) };
  };

  const firstStep = (images: Value, support: Support): Values => {
    const before = forward(initial, images);
    const head = expandLike(scalar(0), matmul(swapLast(before.features), support.labels));
    const [g] = gradient(lossOf(matmul(before.features, head), support), [head]);
    return statesOf(step(first, { head }, { head: g! }, support), before, support);
  };

  return {
    name: 'maml',
    depth,
    exits,
    inputs: {
      support: [1, 'S', channels, side, side],
      labels: [1, 'S', 'K'],
      query: [1, 'Q', channels, side, side],
    },
    outputs: ['logits'],
    parameters: parameters.all,
    layer(t, read): Values {
      const support = supportOf(read.labels!);
      const images = imagesOf(read.support!);
      if (t === first) return firstStep(images, support);
      const p = classifier(read);
      // At new inputs: otherwise a head that was computed from the blocks would pass its gradient on to them.
      const leaves = Object.fromEntries(names.map((name) => [name, input(name, p[name]!.shape)]));
      const f = forward(leaves, images);
      const loss = lossOf(mul(matmul(f.features, leaves.head!), tempers[t - first]!), support);
      const atLeaves = gradient(
        loss,
        names.map((name) => leaves[name]!),
      );
      // The previous step has already computed the convolutions with these parameters.
      const known = [
        ...names.map((name) => [leaves[name]!, p[name]!] as const),
        ...zip(f.convolved, held(read, 'convolved')),
      ];
      const gradients = Object.fromEntries(zip(names, substitute(atLeaves, new Map(known))));
      const moved = step(t, p, gradients, support);
      return statesOf(moved, forward(moved, images), support);
    },
    policy: (t, read) => policies.get(t)!(read.summary!),
    decode(_, read): Values {
      const p = classifier(read);
      const by = transductive
        ? undefined
        : { means: held(read, 'mean'), deviations: held(read, 'deviation') };
      return { logits: wrap(matmul(forward(p, imagesOf(read.query!), by).features, p.head!)) };
    },
  };
}

interface Learnt {
  /** Initial parameters of the blocks, shared by all tasks. */
  readonly initial: Classifier;
  /** Step sizes by step and parameter. */
  readonly rates: readonly ReadonlyMap<string, Value>[];
  /** Factor of the logits in the loss, by step. */
  readonly tempers: readonly Value[];
  readonly policies: ReadonlyMap<number, (seen: Value) => Value>;
}

function defineParameters(
  parameters: Parameters,
  { channels, side, features, depth, exits, hidden }: MamlConfig,
): Learnt {
  const last = blocks.reduce((size) => Math.ceil(size / 2), side);
  const width = features * last * last;
  const initial: Record<string, Value> = {};
  for (const i of blocks) {
    const from = 4 * (i === 1 ? channels : features);
    const size = features * from * 9;
    initial[`kernel-${i}`] = parameters.define(
      `kernel-${i}`,
      [features, from, 3, 3],
      normal(size, Math.sqrt(2 / (9 * from))),
    );
    initial[`scale-${i}`] = parameters.define(
      `scale-${i}`,
      [features, 1, 1],
      constant(features, 1),
    );
    initial[`shift-${i}`] = parameters.define(
      `shift-${i}`,
      [features, 1, 1],
      constant(features, 0),
    );
  }
  const steps = Array.from({ length: exits[0] === 0 ? depth + 1 : depth }, (_, i) => i + 1);
  const rates = steps.map((t) => {
    const rate = (name: string, value: number) =>
      [name, parameters.define(`rate-${t}-${name}`, [], constant(1, value))] as const;
    // After the first step the logits are about ±10 times the cosine between a query and a class mean.
    const body = t === 1 ? [] : Object.keys(initial).map((name) => rate(name, 0.05));
    return new Map([...body, rate('head', (t === 1 ? 10 : 5) / width)]);
  });
  // A well separated support set gives no gradient; at a higher temperature it still does.
  const tempers = steps.map((t) =>
    t === 1 ? scalar(1) : parameters.define(`temper-${t}`, [], constant(1, 0.25)),
  );
  const policies = new Map(
    exits.slice(0, -1).map((t) => [t, definePerceptron(parameters, t, SUMMARY_SIZE, hidden)]),
  );
  return { initial, rates, tempers, policies };
}

/** Runs images [n,C,side,side] through the blocks, normalised by their own statistics or by given ones. */
function forward(
  p: Classifier,
  images: Value,
  by?: Pick<Forward, 'means' | 'deviations'>,
): Forward {
  const [convolved, means, deviations]: [Value[], Value[], Value[]] = [[], [], []];
  let x = images;
  for (const i of blocks) {
    const y = conv(spaceToDepth(even(x), 2), p[`kernel-${i}`]!);
    const mean = by?.means[i - 1] ?? reduceMean(y, [0, 2, 3], true);
    const centred = sub(y, mean);
    const deviation = by?.deviations[i - 1] ?? rootMeanSquare(centred, [0, 2, 3], EPSILON);
    convolved.push(y);
    means.push(mean);
    deviations.push(deviation);
    x = relu(add(mul(centred, div(p[`scale-${i}`]!, deviation)), p[`shift-${i}`]!));
  }
  const width = x.shape.slice(1).reduce<number>((product, dim) => product * known(dim), 1);
  const flat = reshape(x, [x.shape[0]!, width]);
  return { convolved, means, deviations, features: div(flat, rootMeanSquare(flat, [1], EPSILON)) };
}

/** Values as states, each with a leading batch dimension of 1; adapted parameters have names of their own. */
function statesOf(p: Classifier, f: Forward, support: Support): Values {
  const named = (name: string, values: readonly Value[]) =>
    values.map((value, i) => [`${name}-${i + 1}`, value] as const);
  const all = [
    ...Object.entries(p).map(([name, value]) => [fast(name), value] as const),
    ...named('convolved', f.convolved),
    ...named('mean', f.means),
    ...named('deviation', f.deviations),
    ['summary', summary(matmul(f.features, p.head!), f.features, support)] as const,
  ];
  return Object.fromEntries(all.map(([name, value]) => [name, wrap(value)]));
}

const held = (read: Values, name: string): Value[] =>
  blocks.map((i) => unwrap(read[`${name}-${i}`]!));

/** The state that holds a parameter's adapted values (fast weights). */
const fast = (name: string): string => `fast-${name}`;

/** Pads odd sides with a row and column of zeros. */
function even(x: Value): Value {
  const [down, across] = x.shape.slice(2).map((dim) => known(dim) % 2) as [number, number];
  return pad(x, [0, 0, 0, 0], [0, 0, down, across]);
}

const zip = <A, B>(as: readonly A[], bs: readonly B[]): (readonly [A, B])[] =>
  as.map((a, i) => [a, bs[i]!]);

const wrap = (x: Value): Value => reshape(x, [1, ...x.shape]);
