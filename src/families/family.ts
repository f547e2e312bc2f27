/** A family of models: its layers, its policy and its read-out, each defined once as functions that build a graph. */
import { input } from '../graph/operators.ts';
import type { Shape, Value } from '../graph/value.ts';

export type Values = Readonly<Record<string, Value>>;
/** Fills a fresh parameter with its initial values. */
export type Initializer = (normal: () => number) => Float32Array;

export interface Parameter {
  /** The leaf of the graph; its name is the parameter's name. */
  readonly value: Value;
  readonly initial: Initializer;
  /** `constant`: never learnt, and stored once for all segments. `derived`: computed from others when a stage ends. */
  readonly role: 'model' | 'policy' | 'constant' | 'derived';
}

export interface Family {
  readonly name: string;
  /** T. */
  readonly depth: number;
  /** The depths at which π is given, rising; the last is T. They may begin with 0, a start without any layer. */
  readonly exits: readonly number[];
  readonly inputs: Readonly<Record<string, Shape>>;
  /** Names of the model's outputs; each is a state unless `decode` gives it. */
  readonly outputs: readonly string[];
  readonly parameters: ReadonlyMap<string, Parameter>;
  /**
   * Layer `t` (1..T): inputs and the states after t−1 to the states after t. Where 0 is an exit, `layer(0)` computes input
   * statistics as states; without it there are inputs alone at t = 1.
   */
  layer(t: number, read: Values): Values;
  /** The logit of π at exit `t`, [N]. */
  policy(t: number, read: Values): Value;
  /** Further numbers in (0,1) at exit `t`, each [N] and by name, that a stop rule may compare in the place of π. */
  policies?(t: number, read: Values): Values;
  /** The outputs at exit `t`, where they are not states themselves. */
  decode?(t: number, read: Values): Values;
}

/** A leaf of the graph for each shape, by the same names. */
export const leavesOf = (shapes: Readonly<Record<string, Shape>>): Values =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, input(name, shape)]));

/** The numbers of a family's layers in order: 1..T, and 0 before them where it is an exit. */
export function layersOf({ depth, exits }: Pick<Family, 'depth' | 'exits'>): number[] {
  const first = exits[0] === 0 ? 0 : 1;
  return Array.from({ length: depth + 1 - first }, (_, i) => first + i);
}

/** Collects a family's parameters while it is being defined. */
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

/** Every element the same. */
export const constant =
  (length: number, value: number): Initializer =>
  () =>
    new Float32Array(length).fill(value);

/** Normal with the given standard deviation. */
export const normal =
  (length: number, deviation: number): Initializer =>
  (draw) =>
    Float32Array.from({ length }, () => draw() * deviation);
