/**
 * Int8 kernels for a path of 3×3 convolutions with ReLU, fitted layer by layer on features that are rounded to 8 bits. Each
 * kernel is the least-squares fit of the float layer's answers to its float input (Li et al. 2025, GPTAQ), rounded column by
 * column with the error passed on to the columns that are left (Frantar et al. 2023, GPTQ).
 */
import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { sizeOf } from '../families/int8.ts';
import { toModel } from '../graph/model.ts';
import {
  concat,
  conv,
  input,
  matmul,
  mul,
  pad,
  relu,
  reshape,
  slice,
  swapLast,
  transpose,
} from '../graph/operators.ts';
import { known, type Shape, type Value } from '../graph/value.ts';
import { bestScale, rounded } from './int8-features.ts';
import { floats, Session, tensor, type Tensor } from '../runtime/session.ts';

/** The largest code of a kernel; codes are symmetric. */
const MAX_KERNEL_CODE = 127;
/** Added to the Gram matrix's diagonal, of its mean; draws the fit towards the float kernel. */
const DAMPING = 1e-3;
/** Keeps what is all zero from being divided by. */
const TINY = 1e-12;

/** Samples of about the same noise. */
export interface SampleGroup {
  /** Before the first of the layers, [N,F,h,w]. */
  readonly features: Float32Array;
  /** How much the squared error of each sample counts, [N]. */
  readonly weight: Float32Array;
}

/** A layer in 8 bits. */
export interface Int8Layer {
  /** The kernel, [F,F,3,3]. */
  readonly codes: Int8Array;
  /** What a code of it stands for, for each output channel [F]. */
  readonly kernelScale: Float32Array;
  /** What a code of the features before the layer stands for, where a segment begins with it, in units of their size. */
  readonly entryScale?: number;
  /** What a code of the features after the layer stands for, in units of the size that the segment began with. */
  readonly scale: number;
}

/** What is to be fitted. */
export interface FitOptions {
  /** Of layer `first` and those after it, each [F,F,3,3]. */
  readonly kernels: readonly Float32Array[];
  readonly first: number;
  /** The layers that segments begin with. */
  readonly entries: ReadonlySet<number>;
  readonly groups: readonly SampleGroup[];
  /** Of the features of a group, [N,F,h,w]. */
  readonly shape: Shape;
  /** Takes the share of the layers that is done, 0..1. */
  readonly onProgress?: (share: number) => void;
}

/** @returns the layers in 8 bits */
export async function fitInt8(options: FitOptions): Promise<Int8Layer[]> {
  const { kernels, first, entries, groups, shape, onProgress } = options;
  const fit = await LayerFit.load(shape);
  const layers: Int8Layer[] = [];
  let exact = groups.map(({ features }) => features);
  let held = exact;
  let sizes: Float32Array[] = [];
  try {
    for (const [i, kernel] of kernels.entries()) {
      const entry = i === 0 || entries.has(first + i);
      if (entry) sizes = await fit.sizes(held);
      const entryScale = entry ? bestScale(held, exact, sizes) : undefined;
      if (entryScale !== undefined) held = rounded(held, sizes, entryScale);
      const { gram, cross } = await fit.moments(held, exact, kernel, groups);
      const { codes, kernelScale } = roundKernel(cholesky(gram).solve(cross).transpose(), gram);
      exact = await fit.layer(exact, kernel);
      const after = await fit.layer(held, dequantised(codes, kernelScale));
      const scale = bestScale(after, exact, sizes);
      held = rounded(after, sizes, scale);
      layers.push({ codes, kernelScale, scale, ...(entryScale !== undefined && { entryScale }) });
      onProgress?.(layers.length / kernels.length);
    }
  } finally {
    await fit.release();
  }
  return layers;
}

/** What least squares needs of X, the rounded input of a layer with its neighbours, and Y, the layer's float answer. */
interface Moments {
  /** X Xᵀ, damped, [9F,9F]. */
  readonly gram: Matrix;
  /** X Yᵀ, [9F,F]. */
  readonly cross: Matrix;
}

/** The graphs that a fit runs, group by group. */
class LayerFit {
  private constructor(
    private readonly shape: readonly number[],
    private readonly layerSession: Session,
    private readonly sizeSession: Session,
    private readonly momentSession: Session,
  ) {}

  static async load(shape: Shape): Promise<LayerFit> {
    const sizes = shape.map(known);
    const [n, f, h, w] = sizes as [number, number, number, number];
    const features = input('features', shape);
    const kernel = input('kernel', [f, f, 3, 3]);
    const answer = relu(conv(features, kernel));
    const root = input('root', [n, 1, 1, 1]);
    const x = reshape(transpose(neighbours(mul(input('held', shape), root)), [1, 2, 0, 3, 4]), [
      9 * f,
      n * h * w,
    ]);
    const y = mul(conv(features, kernel), root);
    const target = reshape(transpose(y, [1, 0, 2, 3]), [f, n * h * w]);
    const outputs = { gram: matmul(x, swapLast(x)), cross: matmul(x, swapLast(target)) };
    return new LayerFit(
      sizes,
      await Session.load(toModel({ outputs: { answer } })),
      await Session.load(toModel({ outputs: { size: sizeOf(features) } })),
      await Session.load(toModel({ outputs })),
    );
  }

  /** relu(conv(features, kernel)) of each group. */
  async layer(features: readonly Float32Array[], kernel: Float32Array): Promise<Float32Array[]> {
    const after: Float32Array[] = [];
    for (const one of features) {
      const feeds = { features: tensor(one, this.shape), kernel: this.kernel(kernel) };
      after.push(floats((await this.layerSession.run(feeds)).answer!));
    }
    return after;
  }

  /** The size of each sample of each group, as the 8-bit layers take it. */
  async sizes(features: readonly Float32Array[]): Promise<Float32Array[]> {
    const sizes: Float32Array[] = [];
    for (const one of features) {
      const found = await this.sizeSession.run({ features: tensor(one, this.shape) });
      sizes.push(floats(found.size!).slice());
    }
    return sizes;
  }

  async moments(
    held: readonly Float32Array[],
    exact: readonly Float32Array[],
    kernel: Float32Array,
    groups: readonly SampleGroup[],
  ): Promise<Moments> {
    const f = this.shape[1]!;
    const gram = Matrix.zeros(9 * f, 9 * f);
    const cross = Matrix.zeros(9 * f, f);
    for (const [i, { weight }] of groups.entries()) {
      const found = await this.momentSession.run({
        held: tensor(held[i]!, this.shape),
        features: tensor(exact[i]!, this.shape),
        kernel: this.kernel(kernel),
        root: tensor(Float32Array.from(weight, Math.sqrt), [weight.length, 1, 1, 1]),
      });
      gram.add(Matrix.from1DArray(9 * f, 9 * f, floats(found.gram!)));
      cross.add(Matrix.from1DArray(9 * f, f, floats(found.cross!)));
    }
    const damping = (DAMPING * gram.trace()) / (9 * f);
    for (let i = 0; i < 9 * f; i++) {
      gram.set(i, i, gram.get(i, i) + damping);
      for (let c = 0; c < f; c++)
        cross.set(i, c, cross.get(i, c) + damping * kernel[c * 9 * f + i]!);
    }
    return { gram, cross };
  }

  async release(): Promise<void> {
    await this.layerSession.release();
    await this.sizeSession.release();
    await this.momentSession.release();
  }

  private kernel(values: Float32Array): Tensor {
    const f = this.shape[1]!;
    return tensor(values, [f, f, 3, 3]);
  }
}

/** [N,F,h,w] → [N,F,9,h,w]: each place with its neighbours, in the order of a kernel's weights; zeros outside. */
function neighbours(x: Value): Value {
  const [n, f, h, w] = x.shape.map(known) as [number, number, number, number];
  const padded = pad(x, [0, 0, 1, 1], [0, 0, 1, 1]);
  const taps = Array.from({ length: 9 }, (_, i) => {
    const [row, column] = [Math.floor(i / 3), i % 3];
    const shifted = slice(slice(padded, 2, row, row + h), 3, column, column + w);
    return reshape(shifted, [n, f, 1, h, w]);
  });
  return concat(taps, 2);
}

/**
 * Rounds a kernel [F,9F], the input with the most energy first. What rounding changes of the answer is made up for, as far as inputs
 * are correlated, by those that are not rounded yet.
 */
function roundKernel(kernel: Matrix, gram: Matrix): Pick<Int8Layer, 'codes' | 'kernelScale'> {
  const { rows: f, columns: d } = kernel;
  const order = Array.from({ length: d }, (_, i) => i).sort(
    (i, j) => gram.get(j, j) - gram.get(i, i),
  );
  const inverse = cholesky(gram.selection(order, order)).solve(Matrix.eye(d));
  const passed = cholesky(inverse).lowerTriangularMatrix;
  const kernelScale = Float32Array.from({ length: f }, (_, c) => {
    const largest = kernel.getRow(c).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    return Math.max(largest, TINY) / MAX_KERNEL_CODE;
  });
  const codes = new Int8Array(f * d);
  for (let c = 0; c < f; c++) {
    const left = Float64Array.from(order, (i) => kernel.get(c, i));
    for (const [i, column] of order.entries()) {
      const code = Math.round(left[i]! / kernelScale[c]!);
      codes[c * d + column] = Math.max(-MAX_KERNEL_CODE, Math.min(MAX_KERNEL_CODE, code));
      const error = (left[i]! - codes[c * d + column]! * kernelScale[c]!) / passed.get(i, i);
      for (let j = i + 1; j < d; j++) left[j]! -= error * passed.get(j, i);
    }
  }
  return { codes, kernelScale };
}

/** Of a matrix that is symmetric but for rounding. */
const cholesky = (matrix: Matrix): CholeskyDecomposition =>
  new CholeskyDecomposition(matrix.clone().add(matrix.transpose()).mul(0.5));

const dequantised = (codes: Int8Array, scale: Float32Array): Float32Array =>
  Float32Array.from(
    codes,
    (code, i) => code * scale[Math.floor((i * scale.length) / codes.length)]!,
  );
