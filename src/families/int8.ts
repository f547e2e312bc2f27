/** The layers of DnCNN-stop in 8 bits: features as uint8, kernels as int8 with a scale for each output channel. */
import { square } from '../graph/functions.ts';
import {
  add,
  conv,
  dequantise,
  input,
  int8Input,
  mul,
  quantise,
  reduceMean,
  relu,
  sqrt,
} from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import type { Layer } from './dncnn.ts';

/** Inputs of the graph that hold a layer's numbers. */
export const int8Names = {
  /** Codes of the kernel, [F,F,3,3]. */
  kernel: (t: number): string => `int8-kernel-${t}`,
  /** What a code of the kernel stands for, [F]. */
  kernelScale: (t: number): string => `int8-kernel-scale-${t}`,
  /** What a code of the features before layer t stands for, in units of their size, []. */
  entryScale: (t: number): string => `int8-entry-scale-${t}`,
  /** What a code of the features after layer t stands for, in units of the size that the segment began with, []. */
  scale: (t: number): string => `int8-scale-${t}`,
};

/** Features as codes: codes · scale · size. */
interface Held {
  readonly codes: Value;
  readonly scale: Value;
  /** Of each sample, [N]. */
  readonly size: Value;
}

/**
 * Layers before `first` stay in float. The network has no bias, so features may have any unit: each segment measures those that it
 * begins with, and takes their size as the unit of all its codes. Weak noise is then rounded as finely as strong noise.
 */
export function int8Layer(first: number): Layer {
  const held = new WeakMap<Value, Held>();
  return (t, features, kernel) => {
    if (t < first) return relu(conv(features, kernel));
    const { codes, scale, size } = held.get(features) ?? enter(t, features);
    const kernelScale = input(int8Names.kernelScale(t), kernel.shape.slice(0, 1));
    const by = dequantise(int8Input(int8Names.kernel(t), kernel.shape), kernelScale);
    const next = input(int8Names.scale(t), []);
    const after = quantise(relu(conv(dequantise(codes, scale), by)), next);
    const result = dequantise(after, mul(size, next));
    held.set(result, { codes: after, scale: next, size });
    return result;
  };
}

function enter(t: number, features: Value): Held {
  const size = sizeOf(features);
  const scale = input(int8Names.entryScale(t), []);
  return { codes: quantise(features, mul(size, scale)), scale, size };
}

/** The size of the features of each sample: (mean x⁴)^¼, which counts peaks, as at edges, more than the mean square. [N,F,h,w] → [N]. */
export const sizeOf = (features: Value): Value =>
  sqrt(sqrt(add(reduceMean(square(square(features)), [1, 2, 3]), TINY)));

/** Keeps features that are all zero from being divided by zero. */
const TINY = 1e-24;
