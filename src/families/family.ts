/** A family of models: its layers, its policy and its read-out, each defined once as functions that build a graph. */
import { input } from '../graph/operators.ts';
import type { Shape, Value } from '../graph/value.ts';

/** Graph values by name: inputs, states or outputs. */
export type Values = Readonly<Record<string, Value>>;
/** Returns the initial values of a parameter. */
export type Initializer = (normal: () => number) => Float32Array;

/** An array of numbers that the graph reads as an input and an export writes as an initializer. */
export interface Parameter {
  /** The input of the graph with the parameter's name. */
  readonly value: Value;
  readonly initial: Initializer;
  /**
   * `statistic`: of the input statistic, trained before the policy. `constant`: not trained, stored once for all segments.
   * `derived`: computed from other parameters when a stage ends.
   */
  readonly role: 'model' | 'statistic' | 'policy' | 'constant' | 'derived';
}

/** What training and export need of a model: shapes, parameters, and one graph for each layer and exit. */
export interface Family {
  readonly name: string;
  /** T, the number of layers. */
  readonly depth: number;
  /** The depths at which π is given, ascending; the last is T. 0 is the state before the first layer. */
  readonly exits: readonly number[];
  readonly inputs: Readonly<Record<string, Shape>>;
  /** Names of the model's outputs; each is a state unless `decode` gives it. */
  readonly outputs: readonly string[];
  /** A state [N] of layer 0 that answers report, such as the noise level, as a function of its other states. */
  readonly statistic?: { readonly name: string; readonly of: (read: Values) => Value };
  readonly parameters: ReadonlyMap<string, Parameter>;
  /**
   * Layer `t` (1..T): maps the inputs and the states after t−1 to the states after t. Where 0 is an exit, `layer(0)` computes
   * input statistics as states; otherwise layer 1 reads the inputs only.
   */
  layer(t: number, read: Values): Values;
  /** The logit of π at exit `t`, [N]. */
  policy(t: number, read: Values): Value;
  /** Other stop signals at exit `t`, by name: each [N] in (0,1). A stop rule may compare one of them instead of π. */
  policies?(t: number, read: Values): Values;
  /** Read-out at exit `t`: states to outputs. Absent where the outputs are states. */
  decode?(t: number, read: Values): Values;
}

/** One graph input per shape, with the same names. */
export const leavesOf = (shapes: Readonly<Record<string, Shape>>): Values =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, input(name, shape)]));

/** The layer numbers in order: 1..T, preceded by 0 where it is an exit. */
export function layersOf({ depth, exits }: Pick<Family, 'depth' | 'exits'>): number[] {
  const first = exits[0] === 0 ? 0 : 1;
  return Array.from({ length: depth + 1 - first }, (_, i) => first + i);
}

/** Collects the parameters of a family during its definition. */
export class Parameters {
  readonly all = new Map<string, Parameter>();

  define(
    name: string,
    shape: readonly number[],
    initial: Initializer,
    role: Parameter['role'] = 'model',
  ): Value {
    if (this.all.has(name)) throw new Error(`parameter ${name} is defined twice`);
    const value = input(name, shape);
    this.all.set(name, { value, initial, role });
    return value;
  }
}

/** All elements equal. */
export const constant =
  (length: number, value: number): Initializer =>
  () =>
    new Float32Array(length).fill(value);

/** Normal with the given standard deviation. */
export const normal =
  (length: number, deviation: number): Initializer =>
  (draw) =>
    Float32Array.from({ length }, () => draw() * deviation);
