/**
 * DnCNN-stop: a path of convolutions that estimates the noise in an image, with a read-out at every exit.
 * This form works at half resolution (Zhang et al. 2018, FFDNet) and is bias-free (Mohan et al. 2020), so that it
 * generalises to noise levels outside the training range.
 */
import {
  add,
  conv,
  depthToSpace,
  log,
  reduceMean,
  relu,
  spaceToDepth,
  sub,
} from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { normal, Parameters, type Family, type Initializer, type Values } from './family.ts';
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
  exits: [4, 8, 12, 16],
  hidden: 16,
};

/** image [N,C,2h,2w] in [0,1] → denoised [N,C,2h,2w]; the state is the features [N,F,h,w]. */
export function defineDncnn({ channels, features, depth, exits, hidden }: DncnnConfig): Family {
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
  const heads = new Map(exits.map((t) => [t, kernel(`head-${t}`, inner, features, 0.1)]));
  const policies = new Map(
    exits.slice(0, -1).map((t) => [t, definePolicy(parameters, t, features, hidden)]),
  );

  return {
    name: 'dncnn',
    depth,
    exits,
    inputs: { image: ['N', channels, '2*h', '2*w'] },
    outputs: ['denoised'],
    parameters: parameters.all,
    layer(t, { image, features: state }): Values {
      const read = t === 1 ? spaceToDepth(image!, 2) : state!;
      return { features: relu(conv(read, layers[t - 1]!)) };
    },
    policy: (t, { features: state }) => policies.get(t)!(state!),
    decode(t, { image, features: state }): Values {
      return { denoised: sub(image!, depthToSpace(conv(state!, heads.get(t)!), 2)) };
    },
  };
}

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

/** A small perceptron on the logarithm of each feature's mean over the image. */
function definePolicy(
  parameters: Parameters,
  t: number,
  features: number,
  hidden: number,
): (state: Value) => Value {
  const perceptron = definePerceptron(parameters, t, features, hidden);
  return (state) => perceptron(add(log(add(reduceMean(state, [2, 3]), 1e-3)), 3));
}
