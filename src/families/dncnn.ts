/**
 * DnCNN-stop: a path of convolutions that estimates the noise in an image, with a read-out at every exit.
 * This form works at half resolution (Zhang et al. 2018, FFDNet) and is bias-free (Mohan et al. 2020), so that it
 * generalises to noise levels outside the training range.
 */
import {
  add,
  concat,
  conv,
  depthToSpace,
  log,
  mul,
  reduceMean,
  relu,
  softplus,
  spaceToDepth,
  sub,
} from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { normal, Parameters, type Family, type Initializer, type Values } from './family.ts';
import { defineNoiseStatistics } from './noise-statistics.ts';
import { definePerceptron } from './perceptron.ts';

/** Size of a DnCNN-stop network and the depths of its exits. */
export interface DncnnConfig {
  /** 1 for gray, 3 for colour. */
  readonly channels: number;
  readonly features: number;
  readonly depth: number;
  readonly exits: readonly number[];
  /** Width of the policy's hidden layer. */
  readonly hidden: number;
}

/** Narrow and deep: with equal training as good as wider networks, in less time (docs/denoise/shapes.md). */
export const defaultDncnn: Omit<DncnnConfig, 'channels'> = {
  features: 32,
  depth: 16,
  exits: [0, 4, 8, 12, 16],
  hidden: 16,
};

/** Layer t: features [N,F,h,w], or the image at half resolution for layer 1, and a kernel [F,·,3,3] → features [N,F,h,w]. */
export type Layer = (t: number, features: Value, kernel: Value) => Value;

/**
 * image [N,C,2h,2w] in [0,1] → denoised [N,C,2h,2w]; the state is the features [N,F,h,w]. Where 0 is among the exits, the
 * untouched image is an answer, the noise level [N] (standard deviation, of 255) is the input statistic, and the policy reads
 * {@link defineNoiseStatistics} beside the features.
 * @param layer in float unless another arithmetic is given
 */
export function defineDncnn(
  { channels, features, depth, exits, hidden }: DncnnConfig,
  layer: Layer = (_, from, by) => relu(conv(from, by)),
): Family {
  const parameters = new Parameters();
  const inner = 4 * channels;
  const he = (fanIn: number) => Math.sqrt(2 / (9 * fanIn));
  const kernel = (name: string, to: number, from: number, gain: number, skip = false): Value => {
    const random = normal(to * from * 9, gain * he(from));
    return parameters.define(name, [to, from, 3, 3], skip ? withSkip(random, to) : random);
  };

  const layers = Array.from({ length: depth }, (_, i) =>
    i === 0
      ? kernel('kernel-1', features, inner, 1)
      : kernel(`kernel-${i + 1}`, features, features, 0.4, true),
  );
  const computing = exits.filter((t) => t > 0);
  const heads = new Map(computing.map((t) => [t, kernel(`head-${t}`, inner, features, 0.1)]));
  const start = exits[0] === 0 ? defineStart(parameters, channels, hidden) : undefined;
  const policies = new Map(
    exits
      .slice(0, -1)
      .map((t) => [
        t,
        definePerceptron(parameters, t, (t > 0 ? features : 0) + (start?.count ?? 0), hidden),
      ]),
  );

  return {
    name: 'dncnn',
    depth,
    exits,
    inputs: { image: ['N', channels, '2*h', '2*w'] },
    outputs: ['denoised'],
    ...(start && { statistic: start.statistic }),
    parameters: parameters.all,
    layer(t, { image, features: state }): Values {
      if (t === 0) return start!.layer(image!);
      const read = t === 1 ? spaceToDepth(image!, 2) : state!;
      const after = layer(t, read, layers[t - 1]!);
      return { features: after, ...(exits.includes(t) && t < depth && { means: logMeans(after) }) };
    },
    policy(t, { seen, means }) {
      const read = [...(t > 0 ? [means!] : []), ...(start ? [seen!] : [])];
      return policies.get(t)!(concat(read, 1));
    },
    decode(t, { image, features: state }): Values {
      if (t === 0) return { denoised: image! };
      return { denoised: sub(image!, depthToSpace(conv(state!, heads.get(t)!), 2)) };
    },
  };
}

/** Layer 0: the statistics [N,K] that policies read as `seen`, and the noise level [N] by a perceptron on them. */
function defineStart(parameters: Parameters, channels: number, hidden: number) {
  const statistics = defineNoiseStatistics(parameters, channels);
  const level = definePerceptron(parameters, 'noise', statistics.count, hidden, 'statistic');
  const statistic = {
    name: 'noise_level',
    of: ({ seen }: Values): Value => mul(softplus(level(seen!)), NOISE_UNIT),
  };
  return {
    count: statistics.count,
    statistic,
    layer(image: Value): Values {
      const seen = statistics.of(image);
      return { seen, [statistic.name]: statistic.of({ seen }) };
    },
  };
}

/** The noise level at which the perceptron's output is about one, of 255. */
const NOISE_UNIT = 10;

/** The logarithm of each feature's mean over the image: [N,F,h,w] → [N,F]. */
const logMeans = (state: Value): Value => add(log(add(reduceMean(state, [2, 3]), 1e-3)), 3);

/**
 * Adds the identity to the centre of square kernels [F,F,3,3]: conv(x, w + 1) = conv(x, w) + x. A residual layer is then
 * one convolution, in training and in serving. The constant does not change the gradient, and ONNX Runtime keeps its blocked
 * layout from layer to layer, which a separate addition would break.
 */
const withSkip =
  (kernels: Initializer, features: number): Initializer =>
  (draw) => {
    const values = kernels(draw);
    for (let i = 0; i < features; i++) values[(i * features + i) * 9 + 4]! += 1;
    return values;
  };
