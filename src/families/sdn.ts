/**
 * A shallow-deep network (Kaya, Hong & Dumitras 2019): a residual network with internal classifiers. A layer is a residual
 * block of two 3×3 convolutions; an exit pools the features over the image and classifies them linearly. The first
 * convolution works at half resolution, and every later stage halves the sides again.
 */
import { linear, logSoftmax, rootMeanSquare } from '../graph/functions.ts';
import {
  add,
  concat,
  div,
  exp,
  kthLargest,
  mul,
  neg,
  reduceMax,
  reduceMean,
  reduceSum,
  relu,
  spaceToDepth,
  sub,
} from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { defineNormalisedConv, type Normalised, type NormalisedConv } from './batch-norm.ts';
import { constant, normal, Parameters, type Family, type Values } from './family.ts';
import { definePerceptron } from './perceptron.ts';

/** Image format, number of classes and size of a shallow-deep network. */
export interface SdnConfig {
  /** 1 for gray, 3 for colour. */
  readonly channels: number;
  /** Width and height of the images, pixels: a multiple of 2 for each stage. */
  readonly side: number;
  readonly classes: number;
  /** Channels of each stage, and its layers. */
  readonly widths: readonly number[];
  readonly blocks: readonly number[];
  readonly exits: readonly number[];
  /** Width of the policy's hidden layer. */
  readonly hidden: number;
}

/** For 32×32 colour images: six blocks in three stages, each with an exit. */
export const defaultSdn: Omit<SdnConfig, 'classes'> = {
  channels: 3,
  side: 32,
  widths: [48, 96, 192],
  blocks: [1, 2, 3],
  exits: [1, 2, 3, 4, 5, 6],
  hidden: 32,
};

interface Layer {
  /** Maps the image, or the features of the previous stage, to this stage's size. */
  readonly enter?: NormalisedConv;
  readonly first: NormalisedConv;
  readonly second: NormalisedConv;
  /** The state that the layer writes; each stage has its own, since their sizes differ. */
  readonly state: string;
  readonly before: string;
}

/** image [N,C,side,side] in [0,1] → logits [N,K]; the states are `stage-1`, … [N,F,s,s] and the last exit's logits. */
export function defineSdn({
  channels,
  side,
  classes,
  widths,
  blocks,
  exits,
  hidden,
}: SdnConfig): Normalised {
  const depth = blocks.reduce((a, b) => a + b, 0);
  checkShape(side, widths, blocks, exits, depth);
  const parameters = new Parameters();
  const layers = blocks.flatMap((count, s) =>
    Array.from({ length: count }, (_, i) => defineLayer(s, i)),
  );

  function defineLayer(s: number, i: number): Layer {
    const t = blocks.slice(0, s).reduce((a, b) => a + b, 0) + i + 1;
    const width = widths[s]!;
    const define = (part: string, from: number, size: number, scale?: number): NormalisedConv =>
      defineNormalisedConv(parameters, `${t}-${part}`, {
        from,
        to: width,
        size,
        ...(scale !== undefined && { scale }),
      });
    return {
      ...(i === 0 && {
        enter: s === 0 ? define('enter', 4 * channels, 3) : define('enter', 4 * widths[s - 1]!, 1),
      }),
      first: define('first', width, 3),
      // A block is initialised as the identity (Goyal et al. 2017).
      second: define('second', width, 3, 0),
      state: `stage-${s + 1}`,
      before: `stage-${i === 0 ? s : s + 1}`,
    };
  }
  const widthAt = (t: number): number => widths[Number(layers[t - 1]!.state.split('-')[1]) - 1]!;
  const heads = new Map(exits.map((t) => [t, defineHead(parameters, t, widthAt(t), classes)]));
  const policies = new Map(
    exits.slice(0, -1).map((t) => [t, definePolicy(parameters, t, widthAt(t), classes, hidden)]),
  );

  const layerBy =
    (apply: (block: NormalisedConv, x: Value) => Value) =>
    (t: number, read: Values): Values => {
      const { enter, first, second, state, before } = layers[t - 1]!;
      const from = t === 1 ? mul(sub(read.image!, 0.5), 4) : read[before]!;
      const x = enter ? relu(apply(enter, spaceToDepth(from, 2))) : from;
      const features = relu(add(x, apply(second, relu(apply(first, x)))));
      const logits = heads.get(t)?.(features);
      return {
        [state]: features,
        ...(logits && { logits, ...(read.logits && { earlier: read.logits }) }),
      };
    };
  const common: Omit<Family, 'layer'> = {
    name: 'sdn',
    depth,
    exits,
    inputs: { image: ['N', channels, side, side] },
    outputs: ['logits'],
    parameters: parameters.all,
    policy: (t, read) => policies.get(t)!(read[layers[t - 1]!.state]!, read.logits!, read.earlier),
    policies: (_, { logits }) => ({ confidence: reduceMax(exp(logSoftmax(logits!, 1)), [1]) }),
  };
  return {
    family: { ...common, layer: layerBy((block, x) => block.serve(x)) },
    training: { ...common, layer: layerBy((block, x) => block.learn(x)) },
    statistics(t, read) {
      const found: Record<string, ReturnType<NormalisedConv['statistics']>> = {};
      layerBy((block, x) => {
        found[block.name] = block.statistics(x);
        return block.learn(x);
      })(t, read);
      return found;
    },
  };
}

function checkShape(
  side: number,
  widths: readonly number[],
  blocks: readonly number[],
  exits: readonly number[],
  depth: number,
): void {
  const refuse = (why: string): never => {
    throw new RangeError(why);
  };
  if (widths.length !== blocks.length)
    refuse(`widths has ${widths.length} stages, blocks ${blocks.length}`);
  if (side % 2 ** widths.length !== 0)
    refuse(
      `side must be a multiple of ${2 ** widths.length} for ${widths.length} stages, not ${side}`,
    );
  const rising = exits.every((exit, i) => Number.isInteger(exit) && exit > (exits[i - 1] ?? 0));
  if (!rising || exits.at(-1) !== depth)
    refuse(`exits must rise and end at ${depth}, the number of layers, not ${exits.join(', ')}`);
}

/** The mean of every feature over the image, [N,F]. */
const pool = (features: Value): Value => reduceMean(features, [2, 3]);

function defineHead(
  parameters: Parameters,
  t: number,
  width: number,
  classes: number,
): (features: Value) => Value {
  const w = parameters.define(
    `head-${t}-w`,
    [width, classes],
    normal(width * classes, 0.5 * Math.sqrt(1 / width)),
  );
  const b = parameters.define(`head-${t}-b`, [classes], constant(classes, 0));
  return (features) => linear(pool(features), w, b);
}

/**
 * A small perceptron on the exit's output (its largest two probabilities, the entropy, the agreement with the previous exit)
 * and on its features, scaled to unit size.
 */
function definePolicy(
  parameters: Parameters,
  t: number,
  width: number,
  classes: number,
  hidden: number,
): (features: Value, logits: Value, earlier: Value | undefined) => Value {
  const perceptron = definePerceptron(parameters, t, width + 4, hidden);
  return (features, logits, earlier) => {
    const logs = logSoftmax(logits, 1);
    const shares = exp(logs);
    const entropy = mul(neg(reduceSum(mul(shares, logs), [1], true)), 1 / Math.log(classes));
    const first = reduceMax(shares, [1], true);
    const agreement = reduceSum(mul(shares, exp(logSoftmax(earlier ?? logits, 1))), [1], true);
    const said = concat([first, kthLargest(shares, 2), entropy, agreement], 1);
    const pooled = pool(features);
    const x = concat([mul(said, 2), div(pooled, rootMeanSquare(pooled, [1]))], 1);
    return perceptron(x);
  };
}
