/** The nodes of a graph: each value has its operator, inputs, attributes and shape. */

/** A number, a symbol (`N`, `h`) or a multiple of one (`2*h`). */
export type Dim = number | string;
/** Sizes of the axes, outermost first; [] is a scalar. */
export type Shape = readonly Dim[];
/** Element types that values have: numbers, the results of comparisons, and the codes of quantised numbers. */
export type ElementType = 'float32' | 'bool' | 'int8' | 'uint8';

/** Number of elements of a shape, with its symbols bound to numbers. */
export type Size = (shape: Shape) => number;

/** One row of the operator table; leaving a field out does not compile. */
export interface Operator<A = unknown> {
  readonly name: string;
  /** Shape rule. @throws RangeError where the inputs do not fit */
  shape(inputs: readonly Value[], attrs: A): Shape;
  /** float32 where absent. */
  readonly type?: ElementType;
  /**
   * Floating-point operations: two per multiply-add of a product or convolution, one per element for other operators, none
   * for operators that only move data.
   */
  flops(node: Value<A>, size: Size): number;
  /**
   * Vector-Jacobian product: the gradient of each input, given the gradient `g` of the result, as graph values. `undefined`
   * for inputs without a gradient; `null` for operators with zero gradient almost everywhere.
   */
  readonly gradient: ((g: Value, node: Value<A>) => readonly (Value | undefined)[]) | null;
  /** Writes ONNX nodes and returns the name of the result. */
  lower(onnx: Lowering, inputs: readonly string[], node: Value<A>): string;
}

/** Builder for ONNX nodes. */
export interface Lowering {
  /** Adds a node with one result, and returns the result's name. */
  node(
    opType: string,
    inputs: readonly string[],
    attributes?: Record<string, Attribute>,
    outputs?: number,
  ): string;
  int64(values: readonly number[]): string;
  float(value: number): string;
  /** Zero points of codes: one, or `count` of them. */
  zeroPoint(type: ElementType, count?: number): string;
}
/** ONNX attribute: a bare number is an INT, a list is INTS, and `{ float }` is a FLOAT. */
export type Attribute = number | string | readonly number[] | { readonly float: number };

/** A node of the graph and its single result. */
export interface Value<A = unknown> {
  /** Increases with creation, so that sorting by id is a topological order. */
  readonly id: number;
  readonly op: Operator<A>;
  readonly inputs: readonly Value[];
  readonly attrs: A;
  readonly shape: Shape;
  readonly type: ElementType;
}

let created = 0;

/** Adds a node, with its shape from the operator's rule. @throws what the shape rule throws */
export function node<A>(op: Operator<A>, inputs: readonly Value[], attrs: A): Value {
  const value: Value<A> = {
    id: created++,
    op,
    inputs,
    attrs,
    shape: op.shape(inputs, attrs),
    type: op.type ?? 'float32',
  };
  return value as Value;
}

/** `k` times a dimension. */
export function multiply(dim: Dim, k: number): Dim {
  if (typeof dim === 'number') return dim * k;
  const { factor, symbol } = parse(dim);
  return format(factor * k, symbol);
}

/** A dimension divided by `k`. @throws RangeError where `k` does not divide it */
export function divide(dim: Dim, k: number): Dim {
  const { factor, symbol } = typeof dim === 'number' ? { factor: dim, symbol: '' } : parse(dim);
  if (factor % k !== 0) throw new RangeError(`dimension ${dim} is not a multiple of ${k}`);
  return symbol === '' ? factor / k : format(factor / k, symbol);
}

/** A dimension as a number. @throws TypeError where it is symbolic */
export function known(dim: Dim | undefined): number {
  if (typeof dim !== 'number') throw new TypeError(`dimension ${dim} must be a number here`);
  return dim;
}

/** Whether every dimension is a number. */
export function isStatic(shape: Shape): shape is readonly number[] {
  return shape.every((dim) => typeof dim === 'number');
}

/** Element count of a static shape; 1 for []. @throws TypeError where a dimension is symbolic */
export function elements(shape: Shape): number {
  return shape.reduce<number>((product, dim) => product * known(dim), 1);
}

/** Whether ranks and dimensions are equal; symbols are compared as text. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** NumPy's broadcasting; symbols broadcast only against themselves and 1. */
export function broadcast(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const p = a[a.length - rank + i] ?? 1;
    const q = b[b.length - rank + i] ?? 1;
    if (p !== q && p !== 1 && q !== 1)
      throw new RangeError(`cannot broadcast [${a.join(',')}] with [${b.join(',')}]`);
    return p === 1 ? q : p;
  });
}

function parse(dim: string): { factor: number; symbol: string } {
  const star = dim.indexOf('*');
  return star < 0
    ? { factor: 1, symbol: dim }
    : { factor: Number(dim.slice(0, star)), symbol: dim.slice(star + 1) };
}

function format(factor: number, symbol: string): Dim {
  return factor === 1 ? symbol : `${factor}*${symbol}`;
}
