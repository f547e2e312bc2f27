/**
 * DnCNN-stop as published, kept for comparison: full resolution, batch normalisation, a read-out and a policy of its own
 * after every layer. Image [N,C,h,w] in [0,1] → denoised [N,C,h,w].
 */
import { linear } from '../graph/functions.ts';
import { add, concat, conv, reduceMean, relu, reshape, sub } from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { defineNormalisedConv, type Normalised, type NormalisedConv } from './batch-norm.ts';
import { constant, normal, Parameters, type Values } from './family.ts';

/** Size of the published form; every layer is an exit. */
export interface PublishedDncnnConfig {
  /** 1 for gray, 3 for colour. */
  readonly channels: number;
  readonly features: number;
  /** Number of layers without the read-out, which is one more convolution. */
  readonly depth: number;
  /** Width of the policy's two layers. */
  readonly hidden: number;
}

/** 19 layers of 64 features; with the read-out, 20 convolutions up to the last exit. */
export const defaultPublishedDncnn: Omit<PublishedDncnnConfig, 'channels'> = {
  features: 64,
  depth: 19,
  hidden: 16,
};

/** Training and serving form; the state is the features [N,F,h,w], and every layer is an exit. */
export function definePublishedDncnn({
  channels,
  features,
  depth,
  hidden,
}: PublishedDncnnConfig): Normalised {
  const parameters = new Parameters();
  const he = (fanIn: number) => Math.sqrt(2 / (9 * fanIn));
  // The first layer has a trained bias and no normalisation.
  const first = {
    kernel: parameters.define(
      'layer-1',
      [features, channels, 3, 3],
      normal(9 * features * channels, he(channels)),
    ),
    bias: parameters.define('bias-1', [features, 1, 1], constant(features, 0)),
  };
  const inner = Array.from({ length: depth - 1 }, (_, i) =>
    defineNormalisedConv(parameters, String(i + 2), { from: features, to: features, size: 3 }),
  );
  const layers = Array.from({ length: depth }, (_, i) => i + 1);
  const heads = layers.map((t) =>
    parameters.define(
      `head-${t}`,
      [channels, features, 3, 3],
      normal(channels * features * 9, 0.1 * he(features)),
    ),
  );
  const policies = layers.slice(0, -1).map((t) => definePolicy(parameters, t, channels, hidden));
  const decode = (t: number, { image, features: state }: Values): Values => ({
    denoised: sub(image!, conv(state!, heads[t - 1]!)),
  });
  const common = {
    name: 'dncnn-published',
    depth,
    exits: layers,
    inputs: { image: ['N', channels, 'h', 'w'] },
    outputs: ['denoised'],
    parameters: parameters.all,
    policy: (t: number, read: Values): Value =>
      policies[t - 1]!(read.image!, decode(t, read).denoised!),
    decode,
  };
  const layerBy =
    (apply: (block: NormalisedConv, x: Value) => Value) =>
    (t: number, { image, features: state }: Values): Values => ({
      features: relu(
        t === 1 ? add(conv(image!, first.kernel), first.bias) : apply(inner[t - 2]!, state!),
      ),
    });

  return {
    family: { ...common, layer: layerBy((block, x) => block.serve(x)) },
    training: { ...common, layer: layerBy((block, x) => block.learn(x)) },
    statistics: (t, { features: state }) =>
      t === 1 ? {} : { [inner[t - 2]!.name]: inner[t - 2]!.statistics(state!) },
  };
}

/** Two convolutions on [noisy, estimate, difference], then the mean over the image. */
function definePolicy(
  parameters: Parameters,
  t: number,
  channels: number,
  hidden: number,
): (image: Value, estimate: Value) => Value {
  const define = (name: string, shape: readonly number[], fanIn: number): Value => {
    const length = shape.reduce((a, b) => a * b, 1);
    const initial = fanIn > 0 ? normal(length, Math.sqrt(2 / fanIn)) : constant(length, 0);
    return parameters.define(`policy-${t}-${name}`, shape, initial, 'policy');
  };
  const c1 = define('c1', [hidden, 3 * channels, 3, 3], 27 * channels);
  const b1 = define('b1', [hidden, 1, 1], 0);
  const c2 = define('c2', [hidden, hidden, 3, 3], 9 * hidden);
  const b2 = define('b2', [hidden, 1, 1], 0);
  const w = define('w', [hidden, 1], hidden);
  const b = define('b', [1], 0);
  return (image, estimate) => {
    const seen = concat([image, estimate, sub(image, estimate)], 1);
    const pooled = reduceMean(relu(add(conv(relu(add(conv(seen, c1), b1)), c2), b2)), [2, 3]);
    return reshape(linear(pooled, w, b), [image.shape[0]!]);
  };
}
