/**
 * The operator table. Each operator has its shape rule, its FLOPs, its gradient (a graph itself, so it can be
 * differentiated again) and its lowering to ONNX. Models are written with the functions below the entries.
 */
import {
  broadcast,
  divide,
  elements,
  isStatic,
  known,
  multiply,
  node,
  sameShape,
  type Dim,
  type Operator,
  type Shape,
  type Size,
  type Value,
} from './value.ts';

/** For operators that only move data. */
const noFlops = (): number => 0;

/** One per element of the largest input or of the result, whichever is larger. */
const elementFlops = ({ inputs, shape }: Pick<Value, 'inputs' | 'shape'>, size: Size): number =>
  Math.max(size(shape), ...inputs.map((input) => size(input.shape)));

// ---------------------------------------------------------------- leaves

/** A named input of the graph. Parameters are inputs as well; an export turns them into initializers. */
export const inputOperator: Operator<{ name: string; shape: Shape }> = {
  name: 'Input',
  shape: (_, { shape }) => shape,
  flops: noFlops,
  gradient: null,
  lower: (_onnx, _inputs, { attrs }) => attrs.name,
};
/** A named float32 input; symbols in the shape, such as `N`, are bound when the model runs. */
export const input = (name: string, shape: Shape): Value =>
  node(inputOperator, [], { name, shape });

const scalarOperator: Operator<{ value: number }> = {
  name: 'Scalar',
  shape: () => [],
  flops: noFlops,
  gradient: null,
  lower: (onnx, _, { attrs }) => onnx.float(attrs.value),
};
/** A float32 constant of shape []. */
export const scalar = (value: number): Value => node(scalarOperator, [], { value });

const int8InputOperator: typeof inputOperator = { ...inputOperator, type: 'int8' };
/** A named input of int8 codes, for {@link dequantise}; an export turns it into an initializer. */
export const int8Input = (name: string, shape: Shape): Value =>
  node(int8InputOperator, [], { name, shape });

type Operand = Value | number;
const value = (x: Operand): Value => (typeof x === 'number' ? scalar(x) : x);

// ---------------------------------------------------------------- elementwise, one input

interface UnaryRule {
  gradient: ((g: Value, x: Value, y: Value) => Value) | null;
}

function unary(name: string, rule: UnaryRule): (x: Value) => Value {
  const { gradient } = rule;
  const operator: Operator<null> = {
    name,
    shape: ([x]) => x!.shape,
    flops: elementFlops,
    gradient: gradient && ((g, y) => [gradient(g, y.inputs[0]!, y as Value)]),
    lower: (onnx, inputs) => onnx.node(name, inputs),
  };
  return (x) => node(operator, [x], null);
}

/** −x, elementwise. */
export const neg = unary('Neg', { gradient: (g) => neg(g) });
/** eˣ, elementwise. */
export const exp = unary('Exp', { gradient: (g, _, y) => mul(g, y) });
/** Natural logarithm ln x, elementwise. */
export const log = unary('Log', { gradient: (g, x) => div(g, x) });
/** √x, elementwise; the gradient is not finite at 0. */
export const sqrt = unary('Sqrt', { gradient: (g, _, y) => div(mul(g, 0.5), y) });
/** 1/x, elementwise. */
export const reciprocal = unary('Reciprocal', { gradient: (g, _, y) => neg(mul(g, mul(y, y))) });
/** |x|, elementwise; the gradient is 0 at 0. */
export const abs = unary('Abs', { gradient: (g, x) => mul(g, sign(x)) });
/** −1, 0 or 1, elementwise; no gradient passes through. */
export const sign = unary('Sign', { gradient: null });
/** max(x, 0), elementwise; the gradient is 0 at 0. */
export const relu = unary('Relu', { gradient: (g, _, y) => mul(g, sign(y)) });
/** σ(x) = 1 / (1 + e⁻ˣ), elementwise. */
export const sigmoid = unary('Sigmoid', { gradient: (g, _, y) => mul(g, mul(y, sub(1, y))) });
/** ln(1 + eˣ), elementwise. */
export const softplus = unary('Softplus', { gradient: (g, x) => mul(g, sigmoid(x)) });

/** Identity that stops the gradient. */
const stopOperator: Operator<null> = {
  name: 'StopGradient',
  shape: ([x]) => x!.shape,
  flops: noFlops,
  gradient: null,
  lower: (_, [x]) => x!,
};
/** x in the forward pass; no gradient passes through. Leaves no node in the ONNX graph. */
export const stopGradient = (x: Value): Value => node(stopOperator, [x], null);

// ---------------------------------------------------------------- 8-bit numbers

const quantisation = (name: string, type: 'uint8' | 'float32'): Operator<null> => ({
  name,
  type,
  shape: ([x, scale]) => {
    if (!sameShape(scale!.shape, []) && !sameShape(scale!.shape, x!.shape.slice(0, 1)))
      throw new RangeError(`no scale [${scale!.shape.join(',')}] for [${x!.shape.join(',')}]`);
    return x!.shape;
  },
  flops: elementFlops,
  gradient: null,
  lower: (onnx, inputs, { inputs: [x, scale] }) => {
    const [count] = scale!.shape;
    const codes = type === 'uint8' ? type : x!.type;
    // ONNX Runtime fuses a convolution only where the zero points are given; there are none for a symbolic number of scales.
    const zero = typeof count === 'string' ? [] : [onnx.zeroPoint(codes, count)];
    return onnx.node(name, [...inputs, ...zero], { axis: 0 });
  },
});

const quantiseOperator = quantisation('QuantizeLinear', 'uint8');
/**
 * uint8 codes of `x`: x / scale, rounded and clipped to 0…255. `scale` is [] or has one number for each index of axis 0.
 * Between two of these a convolution of {@link dequantise}d codes and kernels, with ReLU, runs in 8 bits.
 */
export const quantise = (x: Value, scale: Value): Value => node(quantiseOperator, [x, scale], null);

const dequantiseOperator = quantisation('DequantizeLinear', 'float32');
/** Codes times `scale`, which is [] or has one number for each index of axis 0. */
export const dequantise = (codes: Value, scale: Value): Value =>
  node(dequantiseOperator, [codes, scale], null);

// ---------------------------------------------------------------- elementwise, two inputs

interface BinaryRule {
  gradient: (g: Value, a: Value, b: Value, y: Value) => [Value, Value];
}

function binary(name: string, rule: BinaryRule): (a: Operand, b: Operand) => Value {
  const operator: Operator<null> = {
    name,
    shape: ([a, b]) => broadcast(a!.shape, b!.shape),
    flops: elementFlops,
    gradient: (g, y) => {
      const [a, b] = y.inputs as [Value, Value];
      const [ga, gb] = rule.gradient(g, a, b, y as Value);
      return [sumTo(ga, a.shape), sumTo(gb, b.shape)];
    },
    lower: (onnx, inputs) => onnx.node(name, inputs),
  };
  return (a, b) => node(operator, [value(a), value(b)], null);
}

/** a + b with NumPy broadcasting. */
export const add = binary('Add', { gradient: (g) => [g, g] });
/** a − b with NumPy broadcasting. */
export const sub = binary('Sub', { gradient: (g) => [g, neg(g)] });
/** a · b, elementwise with NumPy broadcasting. */
export const mul = binary('Mul', { gradient: (g, a, b) => [mul(g, b), mul(g, a)] });
/** a / b, elementwise with NumPy broadcasting. */
export const div = binary('Div', { gradient: (g, _, b, y) => [div(g, b), neg(mul(g, div(y, b)))] });
/** The larger of a and b, elementwise with NumPy broadcasting; at a tie a gets the gradient. */
export const max = binary('Max', {
  gradient: (g, a, b) => [where(greaterOrEqual(a, b), g, 0), where(greaterOrEqual(a, b), 0, g)],
});
/** The smaller of a and b, elementwise with NumPy broadcasting; at a tie a gets the gradient. */
export const min = binary('Min', {
  gradient: (g, a, b) => [where(greaterOrEqual(b, a), g, 0), where(greaterOrEqual(b, a), 0, g)],
});

const clipOperator: Operator<{ low: number; high: number }> = {
  name: 'Clip',
  shape: ([x]) => x!.shape,
  flops: elementFlops,
  gradient: (g, y) => [where(equal(y.inputs[0]!, y as Value), g, 0)],
  lower: (onnx, [x], { attrs }) =>
    onnx.node('Clip', [x!, onnx.float(attrs.low), onnx.float(attrs.high)]),
};
/** Clamps to a range; the gradient is zero outside it. */
export const clip = (x: Value, low: number, high: number): Value =>
  node(clipOperator, [x], { low, high });

function comparison(name: string): (a: Operand, b: Operand) => Value {
  const operator: Operator<null> = {
    name,
    type: 'bool',
    shape: ([a, b]) => broadcast(a!.shape, b!.shape),
    flops: elementFlops,
    gradient: null,
    lower: (onnx, inputs) => onnx.node(name, inputs),
  };
  return (a, b) => node(operator, [value(a), value(b)], null);
}

/** a > b as bool, with NumPy broadcasting; no gradient. */
export const greater = comparison('Greater');
/** a ≥ b as bool, with NumPy broadcasting; no gradient. */
export const greaterOrEqual = comparison('GreaterOrEqual');
/** a = b as bool, with NumPy broadcasting; no gradient. */
export const equal = comparison('Equal');

const castOperator: Operator<null> = {
  name: 'Cast',
  shape: ([x]) => x!.shape,
  flops: noFlops,
  gradient: null,
  lower: (onnx, inputs) => onnx.node('Cast', inputs, { to: 1 }),
};
/** Converts a condition to 0 or 1. */
export const asFloat = (condition: Value): Value => node(castOperator, [condition], null);

const whereOperator: Operator<null> = {
  name: 'Where',
  shape: ([c, a, b]) => broadcast(c!.shape, broadcast(a!.shape, b!.shape)),
  flops: elementFlops,
  gradient: (g, y) => {
    const [c, a, b] = y.inputs as [Value, Value, Value];
    return [undefined, sumTo(where(c, g, 0), a.shape), sumTo(where(c, 0, g), b.shape)];
  },
  lower: (onnx, inputs) => onnx.node('Where', inputs),
};
/** `a` where the bool `condition` holds, else `b`; all three are broadcast together. */
export const where = (condition: Value, a: Operand, b: Operand): Value =>
  node(whereOperator, [condition, value(a), value(b)], null);

// ---------------------------------------------------------------- reductions

interface Axes {
  axes: readonly number[];
  keep: boolean;
}

function reducedShape(shape: Shape, { axes, keep }: Axes): Shape {
  for (const axis of axes)
    if (axis < 0 || axis >= shape.length)
      throw new RangeError(`no axis ${axis} in [${shape.join(',')}]`);
  return keep
    ? shape.map((dim, i) => (axes.includes(i) ? 1 : dim))
    : shape.filter((_, i) => !axes.includes(i));
}

function reduction(name: string, gradient: (g: Value, x: Value, y: Value) => Value) {
  const operator: Operator<Axes> = {
    name,
    shape: ([x], attrs) => reducedShape(x!.shape, attrs),
    flops: elementFlops,
    gradient: (g, y) => {
      const x = y.inputs[0]!;
      const kept = reducedShape(x.shape, { ...y.attrs, keep: true });
      return [gradient(reshape(g, kept), x, reshape(y as Value, kept))];
    },
    lower: (onnx, inputs, { attrs }) =>
      onnx.node(name, [...inputs, onnx.int64(attrs.axes)], { keepdims: attrs.keep ? 1 : 0 }),
  };
  return (x: Value, axes?: readonly number[], keep = false): Value =>
    node(operator, [x], { axes: axes ?? x.shape.map((_, i) => i), keep });
}

/**
 * Σ x over `axes`, all by default; `keep` keeps them with size 1.
 * @throws RangeError where x lacks an axis
 */
export const reduceSum = reduction('ReduceSum', (g, x) => expandLike(g, x));
/**
 * Mean of x over `axes`, all by default; `keep` keeps them with size 1.
 * @throws RangeError where x lacks an axis
 */
export const reduceMean = reduction('ReduceMean', (g, x, y) =>
  expandLike(div(g, elementRatio(x, y)), x),
);
/** The gradient is divided equally between tied maxima. */
export const reduceMax = reduction('ReduceMax', (g, x, y) => {
  const hit = asFloat(equal(x, y));
  const axes = x.shape.flatMap((dim, i) => (dim === y.shape[i] ? [] : [i]));
  return mul(hit, div(g, axes.length > 0 ? reduceSum(hit, axes, true) : 1));
});

/** Sums over the axes along which a value was broadcast from `shape`. */
export function sumTo(x: Value, shape: Shape): Value {
  const lead = x.shape.length - shape.length;
  const axes = x.shape.flatMap((dim, i) =>
    i < lead || (shape[i - lead] === 1 && dim !== 1) ? [i] : [],
  );
  return axes.length === 0 ? x : reshape(reduceSum(x, axes, true), shape);
}

const ratioOperator: Operator<null> = {
  name: 'ElementRatio',
  shape: () => [],
  flops: () => 1,
  gradient: null,
  lower: (onnx, [x, y]) => {
    const size = (name: string) => onnx.node('Cast', [onnx.node('Size', [name])], { to: 1 });
    return onnx.node('Div', [size(x!), size(y!)]);
  },
};
/** Ratio of the element counts of `x` and `y`: a number where both shapes are known, otherwise a scalar of the graph. */
const elementRatio = (x: Value, y: Value): Operand =>
  isStatic(x.shape) && isStatic(y.shape)
    ? elements(x.shape) / elements(y.shape)
    : node(ratioOperator, [x, y], null);

const kthOperator: Operator<{ k: number }> = {
  name: 'KthLargest',
  shape: ([x], { k }) => {
    if (k < 1 || k > known(x!.shape.at(-1)))
      throw new RangeError(`no ${k}-th largest of ${x!.shape.at(-1)}`);
    return [...x!.shape.slice(0, -1), 1];
  },
  flops: elementFlops,
  gradient: (g, y) => {
    const x = y.inputs[0]!;
    const hit = asFloat(equal(x, y as Value));
    return [mul(hit, div(g, reduceSum(hit, [x.shape.length - 1], true)))];
  },
  lower: (onnx, [x], { attrs }) => {
    const top = onnx.node(
      'TopK',
      [x!, onnx.int64([attrs.k])],
      { axis: -1, largest: 1, sorted: 1 },
      2,
    );
    return onnx.node('Slice', [
      top,
      onnx.int64([attrs.k - 1]),
      onnx.int64([attrs.k]),
      onnx.int64([-1]),
    ]);
  },
};
/** The k-th largest element along the last axis, [..., n] → [..., 1]. */
export const kthLargest = (x: Value, k: number): Value => node(kthOperator, [x], { k });

// ---------------------------------------------------------------- products

const matmulOperator: Operator<null> = {
  name: 'MatMul',
  shape: ([a, b]) => {
    const [p, q] = [a!.shape, b!.shape];
    if (p.length < 2 || q.length < 2 || p.at(-1) !== q.at(-2)) {
      throw new RangeError(`cannot multiply [${p.join(',')}] by [${q.join(',')}]`);
    }
    return [...broadcast(p.slice(0, -2), q.slice(0, -2)), p.at(-2)!, q.at(-1)!];
  },
  flops: ({ inputs: [a], shape }, size) => 2 * size(shape) * size(a!.shape.slice(-1)),
  gradient: (g, y) => {
    const [a, b] = y.inputs as [Value, Value];
    return [sumTo(matmul(g, swapLast(b)), a.shape), sumTo(matmul(swapLast(a), g), b.shape)];
  },
  lower: (onnx, inputs) => onnx.node('MatMul', inputs),
};
/**
 * […,m,k] by […,k,n] → […,m,n]; leading axes are broadcast.
 * @throws RangeError where the shapes do not fit
 */
export const matmul = (a: Value, b: Value): Value => node(matmulOperator, [a, b], null);

/** The transpose of the last two axes. */
export function swapLast(x: Value): Value {
  const order = x.shape.map((_, i) => i);
  const [p, q] = order.splice(-2) as [number, number];
  return transpose(x, [...order, q, p]);
}

/**
 * A convolution with odd square kernels, stride 1 and zero padding that keeps the size:
 * [N,C,H,W] by [K,C,k,k] gives [N,K,H,W].
 */
const convOperator: Operator<null> = {
  name: 'Conv',
  shape: ([x, w]) => {
    const [n, c, ...sides] = x!.shape;
    const [filters, channels, k] = w!.shape;
    if (sides.length !== 2 || c !== channels || known(k) % 2 === 0 || k !== w!.shape[3]) {
      throw new RangeError(`cannot convolve [${x!.shape.join(',')}] with [${w!.shape.join(',')}]`);
    }
    return [n!, filters!, ...sides];
  },
  flops: ({ inputs: [, w], shape }, size) => 2 * size(shape) * size(w!.shape.slice(1)),
  gradient: (g, y) => {
    const [x, w] = y.inputs as [Value, Value];
    return [conv(g, turned(w)), convWeightGradient(x, g, known(w.shape[2]))];
  },
  lower: (onnx, inputs, { inputs: [, w] }) => {
    const pad = (known(w!.shape[2]) - 1) / 2;
    return onnx.node('Conv', inputs, {
      pads: [pad, pad, pad, pad],
      kernel_shape: w!.shape.slice(2).map(known),
    });
  },
};
/**
 * Convolution, [N,C,H,W] by [K,C,k,k] → [N,K,H,W]: k odd, stride 1, zero padding, no bias.
 * @throws RangeError where the shapes do not fit or the kernel is not odd and square
 */
export const conv = (x: Value, w: Value): Value => node(convOperator, [x, w], null);

/**
 * The gradient of a convolution with respect to its kernel, from its input [N,C,H,W] and the gradient of its result
 * [N,K,H,W]: [K,C,k,k]. It is bilinear, and its own gradients are convolutions.
 *
 * Lowered to k·k matrix products over the whole batch. Each channel holds all images in one row, with zeros between lines
 * and images, so that a shift is one contiguous slice. This is fast for small images as well.
 */
const convWeightGradientOperator: Operator<{ k: number }> = {
  name: 'ConvWeightGradient',
  shape: ([x, g], { k }) => [g!.shape[1]!, x!.shape[1]!, k, k],
  flops: ({ inputs: [, g], shape }, size) => 2 * size(shape.slice(1)) * size(g!.shape),
  gradient: (v, { inputs: [x, g] }) => [conv(g!, turned(v)), conv(x!, v)],
  lower: (onnx, [x, g], { inputs: [from], attrs: { k }, shape: [filters, channels] }) => {
    const r = (k - 1) / 2;
    const width = known(from!.shape[3]) + r;
    const guard = r * width + r;
    const padded = (name: string, pads: readonly number[]) =>
      r > 0 ? onnx.node('Pad', [name, onnx.int64(pads)]) : name;
    const rows = (name: string, count: Dim | undefined) => {
      const apart = onnx.node('Transpose', [padded(name, [0, 0, 0, 0, 0, 0, r, r])], {
        perm: [1, 0, 2, 3],
      });
      return onnx.node('Reshape', [apart, onnx.int64([known(count), -1])]);
    };
    const gradients = rows(g!, filters);
    const shifted = padded(rows(x!, channels), [0, guard, 0, guard]);
    const taps = Array.from({ length: k * k }, (_, i) => {
      const start = Math.floor(i / k) * width + (i % k);
      const end = start < 2 * guard ? start - 2 * guard : 2 ** 31;
      const tap = onnx.node('Slice', [
        shifted,
        onnx.int64([start]),
        onnx.int64([end]),
        onnx.int64([1]),
      ]);
      return onnx.node('MatMul', [gradients, onnx.node('Transpose', [tap], { perm: [1, 0] })]);
    });
    const all = onnx.node('Reshape', [
      onnx.node('Concat', taps, { axis: 0 }),
      onnx.int64([k * k, known(filters), known(channels)]),
    ]);
    const shape = onnx.int64([known(filters), known(channels), k, k]);
    return onnx.node('Reshape', [onnx.node('Transpose', [all], { perm: [1, 2, 0] }), shape]);
  },
};
const convWeightGradient = (x: Value, g: Value, k: number): Value =>
  node(convWeightGradientOperator, [x, g], { k });

/** The kernel of the convolution that computes the gradient of the input: flipped and transposed. */
const turned = (w: Value): Value => flip(transpose(w, [1, 0, 2, 3]), [2, 3]);

// ---------------------------------------------------------------- layout

/** The axes of size 1 of a shape, and the shape without them. */
const ones = (shape: Shape): { axes: number[]; others: Shape } => ({
  axes: shape.flatMap((dim, i) => (dim === 1 ? [i] : [])),
  others: shape.filter((dim) => dim !== 1),
});

const reshapeOperator: Operator<{ shape: Shape }> = {
  name: 'Reshape',
  shape: ([x], { shape }) => {
    if (isStatic(x!.shape) && isStatic(shape) && elements(x!.shape) !== elements(shape)) {
      throw new RangeError(`cannot reshape [${x!.shape.join(',')}] to [${shape.join(',')}]`);
    }
    return shape;
  },
  flops: noFlops,
  gradient: (g, y) => [reshape(g, y.inputs[0]!.shape)],
  lower: (onnx, [x], { attrs, inputs: [from] }) => {
    const target = attrs.shape.map((dim, i) =>
      typeof dim === 'number' ? dim : dim === from!.shape[i] ? 0 : -1,
    );
    if (target.filter((dim) => dim === -1).length > 1) {
      const [before, after] = [ones(from!.shape), ones(attrs.shape)];
      if (sameShape(before.others, after.others)) {
        const bare =
          before.axes.length > 0 ? onnx.node('Squeeze', [x!, onnx.int64(before.axes)]) : x!;
        return after.axes.length > 0
          ? onnx.node('Unsqueeze', [bare, onnx.int64(after.axes)])
          : bare;
      }
      throw new RangeError(
        `cannot reshape [${from!.shape.join(',')}] to [${attrs.shape.join(',')}]: two free dimensions move`,
      );
    }
    return onnx.node('Reshape', [x!, onnx.int64(target)]);
  },
};
/**
 * The same elements in another shape; `x` itself where the shape is unchanged.
 * @throws RangeError where both shapes are static and differ in element count
 */
export const reshape = (x: Value, shape: Shape): Value =>
  sameShape(x.shape, shape) ? x : node(reshapeOperator, [x], { shape });

const transposeOperator: Operator<{ perm: readonly number[] }> = {
  name: 'Transpose',
  shape: ([x], { perm }) => perm.map((axis) => x!.shape[axis]!),
  flops: noFlops,
  gradient: (g, { attrs: { perm } }) => [
    transpose(
      g,
      perm.map((_, axis) => perm.indexOf(axis)),
    ),
  ],
  lower: (onnx, inputs, { attrs }) => onnx.node('Transpose', inputs, { perm: attrs.perm }),
};
/** Permutes the axes: axis `i` of the result is axis `perm[i]` of x. */
export const transpose = (x: Value, perm: readonly number[]): Value =>
  node(transposeOperator, [x], { perm });

const expandOperator: Operator<null> = {
  name: 'Expand',
  shape: ([x, like]) => {
    if (!sameShape(broadcast(x!.shape, like!.shape), like!.shape)) {
      throw new RangeError(`cannot expand [${x!.shape.join(',')}] to [${like!.shape.join(',')}]`);
    }
    return like!.shape;
  },
  flops: noFlops,
  gradient: (g, y) => [sumTo(g, y.inputs[0]!.shape), undefined],
  lower: (onnx, [x, like], { shape }) =>
    onnx.node('Expand', [x!, isStatic(shape) ? onnx.int64(shape) : onnx.node('Shape', [like!])]),
};
/** `x` broadcast to the shape of `like`. */
export const expandLike = (x: Value, like: Value): Value =>
  sameShape(x.shape, like.shape) ? x : node(expandOperator, [x, like], null);

const concatOperator: Operator<{ axis: number }> = {
  name: 'Concat',
  shape: (inputs, { axis }) => {
    const total = inputs.reduce((sum, x) => sum + known(x.shape[axis]), 0);
    return inputs[0]!.shape.map((dim, i) => (i === axis ? total : dim));
  },
  flops: noFlops,
  gradient: (g, { inputs, attrs: { axis } }) => {
    let offset = 0;
    return inputs.map((x) => slice(g, axis, offset, (offset += known(x.shape[axis]))));
  },
  lower: (onnx, inputs, { attrs }) => onnx.node('Concat', inputs, { axis: attrs.axis }),
};
/**
 * Joins values that differ only along `axis`.
 * @throws TypeError where a size along it is symbolic
 */
export const concat = (inputs: readonly Value[], axis: number): Value =>
  inputs.length === 1 ? inputs[0]! : node(concatOperator, inputs, { axis });

const sliceOperator: Operator<{ axis: number; start: number; end: number; step: number }> = {
  name: 'Slice',
  shape: ([x], { axis, start, end, step }) => {
    const size = known(x!.shape[axis]);
    if (start < 0 || end > size || start >= end)
      throw new RangeError(`no slice ${start}:${end} of ${size}`);
    return x!.shape.map((dim, i) => (i === axis ? Math.ceil((end - start) / step) : dim));
  },
  flops: noFlops,
  gradient: (g, { inputs: [x], shape, attrs: { axis, start, step } }) => {
    const size = known(x!.shape[axis]);
    const spread = step === 1 ? g : spreadAlong(g, axis, step);
    const length = step === 1 ? known(shape[axis]) : known(shape[axis]) * step;
    const after = size - start - length;
    const fits = after >= 0 ? spread : slice(spread, axis, 0, size - start);
    const at = (amount: number) => x!.shape.map((_, i) => (i === axis ? amount : 0));
    return [pad(fits, at(start), at(Math.max(after, 0)))];
  },
  lower: (onnx, [x], { attrs: { axis, start, end, step } }) =>
    onnx.node('Slice', [x!, ...[start, end, axis, step].map((number) => onnx.int64([number]))]),
};
/** The elements start, start+step, … before `end` along one axis of known size. */
export const slice = (x: Value, axis: number, start: number, end: number, step = 1): Value =>
  node(sliceOperator, [x], { axis, start, end, step });

/** Inserts zeros between the elements along one axis; its size grows by the factor `step`. */
function spreadAlong(x: Value, axis: number, step: number): Value {
  const split = reshape(x, [...x.shape.slice(0, axis + 1), 1, ...x.shape.slice(axis + 1)]);
  const at = split.shape.map((_, i) => (i === axis + 1 ? step - 1 : 0));
  const spread = pad(
    split,
    at.map(() => 0),
    at,
  );
  return reshape(
    spread,
    x.shape.map((dim, i) => (i === axis ? known(dim) * step : dim)),
  );
}

const padOperator: Operator<{ before: readonly number[]; after: readonly number[] }> = {
  name: 'Pad',
  shape: ([x], { before, after }) =>
    x!.shape.map((dim, i) =>
      before[i] === 0 && after[i] === 0 ? dim : known(dim) + before[i]! + after[i]!,
    ),
  flops: noFlops,
  gradient: (g, { inputs: [x], attrs: { before, after } }) => [
    x!.shape.reduce<Value>(
      (sum, dim, i) =>
        before[i] === 0 && after[i] === 0
          ? sum
          : slice(sum, i, before[i]!, before[i]! + known(dim)),
      g,
    ),
  ],
  lower: (onnx, [x], { attrs }) =>
    onnx.node('Pad', [x!, onnx.int64([...attrs.before, ...attrs.after])]),
};
/** Zero padding, by axis. */
export const pad = (x: Value, before: readonly number[], after: readonly number[]): Value =>
  [...before, ...after].every((amount) => amount === 0)
    ? x
    : node(padOperator, [x], { before, after });

const flipOperator: Operator<{ axes: readonly number[] }> = {
  name: 'Flip',
  shape: ([x]) => x!.shape,
  flops: noFlops,
  gradient: (g, { attrs }) => [flip(g, attrs.axes)],
  lower: (onnx, [x], { attrs: { axes } }) => {
    const all = (number: number) => onnx.int64(axes.map(() => number));
    return onnx.node('Slice', [x!, all(-1), all(-(2 ** 31)), onnx.int64(axes), all(-1)]);
  },
};
/** Reverses the order of the elements along `axes`. */
export const flip = (x: Value, axes: readonly number[]): Value => node(flipOperator, [x], { axes });

function blockShape([n, c, h, w]: Shape, move: (dim: Dim, k: number) => Dim, block: number): Shape {
  const back = move === divide ? multiply : divide;
  return [n!, back(c!, block * block), move(h!, block), move(w!, block)];
}

const spaceToDepthOperator: Operator<{ block: number }> = {
  name: 'SpaceToDepth',
  shape: ([x], { block }) => blockShape(x!.shape, divide, block),
  flops: noFlops,
  gradient: (g, { attrs }) => [depthToSpace(g, attrs.block)],
  lower: (onnx, inputs, { attrs }) => onnx.node('SpaceToDepth', inputs, { blocksize: attrs.block }),
};
/** [N,C,b·h,b·w] → [N,b²·C,h,w]. */
export const spaceToDepth = (x: Value, block: number): Value =>
  node(spaceToDepthOperator, [x], { block });

const depthToSpaceOperator: Operator<{ block: number }> = {
  name: 'DepthToSpace',
  shape: ([x], { block }) => blockShape(x!.shape, multiply, block),
  flops: noFlops,
  gradient: (g, { attrs }) => [spaceToDepth(g, attrs.block)],
  lower: (onnx, inputs, { attrs }) =>
    onnx.node('DepthToSpace', inputs, { blocksize: attrs.block, mode: 'DCR' }),
};
/** [N,b²·C,h,w] → [N,C,b·h,b·w]. */
export const depthToSpace = (x: Value, block: number): Value =>
  node(depthToSpaceOperator, [x], { block });
