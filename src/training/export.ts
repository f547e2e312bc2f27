/** Export: lowers a family with its weights to the files of a bundle, segment by segment. */
import { outputName, type Manifest, type Port } from '../bundle/manifest.ts';
import { layersOf, leavesOf, type Family, type Values } from '../families/family.ts';
import { countFlops, type Symbols } from '../graph/flops.ts';
import { ancestors } from '../graph/gradient.ts';
import { toModel, type Weight } from '../graph/model.ts';
import { toPathModel, type PathStep } from '../graph/path-model.ts';
import { concat, input, mul, reduceSum, reshape, sigmoid } from '../graph/operators.ts';
import type { Shape, Value } from '../graph/value.ts';
import { encodeTensors } from './safetensors.ts';
import type { Weights } from './weights.ts';

/** The part of a manifest that follows from the family alone. */
export type Lowered = Pick<
  Manifest,
  | 'family'
  | 'depth'
  | 'exits'
  | 'inputs'
  | 'states'
  | 'outputs'
  | 'segments'
  | 'decoders'
  | 'path'
  | 'statistic'
  | 'policies'
  | 'flops'
> & {
  readonly contents: ReadonlyMap<string, Uint8Array>;
};

/** What `flops` counts: one sample, or one pixel of an image of this size. */
export interface FlopsUnit {
  readonly per: 'sample' | 'pixel';
  readonly symbols: Symbols;
  readonly divisor: number;
}

/** FLOPs of one sample, for families whose only symbolic dimension is `N`. */
export const perSample: FlopsUnit = { per: 'sample', symbols: { N: 1 }, divisor: 1 };
/** Per pixel of an image of 256×256. */
export const perPixel: FlopsUnit = {
  per: 'pixel',
  symbols: { N: 1, h: 128, w: 128 },
  divisor: 256 * 256,
};

/** All weights by parameter name; the ONNX files refer to it as external data. */
export const WEIGHTS = 'weights.safetensors';
const PATH = 'path.onnx';

interface Piece {
  readonly first: number;
  readonly last: number;
  /** Leaves in the place of the states before `first`. */
  readonly before: Values;
  readonly after: Values;
  /** π and the other values that a stop rule may compare, by name; none at the last exit. */
  readonly policies: Values;
  readonly decoded: Values;
}

/**
 * Writes the weights, an ONNX model for each segment and decoder and, unless 0 is an exit, one for
 * the whole path.
 * @returns the family's part of the manifest, and the files' contents by name
 */
export function lower(family: Family, weights: Weights, unit: FlopsUnit): Lowered {
  const inputs = leavesOf(family.inputs);
  const pieces = cut(family, inputs);
  const { bytes, offsets } = encodeTensors(
    new Map([...family.parameters.keys()].map((name) => [name, weights.get(name)!])),
  );
  const weightsByName = new Map<string, Weight>(
    [...offsets].map(([name, offset]) => [
      name,
      { data: weights.get(name)!, external: { file: WEIGHTS, offset } },
    ]),
  );
  const contents = new Map([[WEIGHTS, bytes]]);
  const hasPath = family.exits[0] !== 0;
  if (hasPath) contents.set(PATH, wholePath(family, weightsByName));
  const segments: Manifest['segments'] = [];
  const decoders: Manifest['decoders'] = [];
  for (const [i, piece] of pieces.entries()) {
    const number = String(piece.last).padStart(2, '0');
    const writes = stillNeeded(family, pieces, i);
    const outputs = outputsOf(piece, writes);
    const file = segmentFile(piece);
    contents.set(file, toModel({ outputs, weights: weightsByName }));
    segments.push({
      file,
      first: piece.first,
      last: piece.last,
      reads: reads(family, Object.values(outputs)),
      writes,
    });
    if (!family.decode) continue;
    const decoder = `decode-${number}.onnx`;
    const leaves = { ...inputs, ...leavesFor(piece.after) };
    const decoded = family.decode(piece.last, leaves);
    contents.set(decoder, toModel({ outputs: decoded, weights: weightsByName }));
    decoders.push({
      file: decoder,
      exit: piece.last,
      reads: reads(family, Object.values(decoded)),
    });
  }
  const last = pieces.at(-1)!;
  const names = Object.keys(pieces[0]!.policies);
  return {
    family: family.name,
    depth: family.depth,
    exits: [...family.exits],
    inputs: toPorts(inputs),
    states: toPorts(Object.assign({}, ...pieces.map(({ after }) => after)) as Values),
    outputs: toPorts(
      Object.fromEntries(
        family.outputs.map((name) => [name, (family.decode ? last.decoded : last.after)[name]!]),
      ),
    ),
    segments,
    decoders,
    ...(hasPath && { path: PATH }),
    ...(family.statistic && { statistic: family.statistic.name }),
    ...(names.length > 1 && { policies: names }),
    flops: flops(pieces, inputs, unit),
    contents,
  };
}

/**
 * The segments from layer `first` on in another arithmetic, with the inputs and outputs of the bundle's own.
 * @param family with the arithmetic in its layers
 * @returns the file of each segment, the bundle's own before `first`, and the contents of the others
 */
export function lowerVariant(
  family: Family,
  weights: ReadonlyMap<string, Weight>,
  { name, first }: { readonly name: string; readonly first: number },
): { segments: string[]; contents: Map<string, Uint8Array> } {
  const pieces = cut(family, leavesOf(family.inputs));
  const contents = new Map<string, Uint8Array>();
  const segments = pieces.map((piece, i) => {
    if (piece.last < first) return segmentFile(piece);
    const file = `${name}-${segmentFile(piece)}`;
    const outputs = outputsOf(piece, stillNeeded(family, pieces, i));
    contents.set(file, toModel({ outputs, weights }));
    return file;
  });
  return { segments, contents };
}

const segmentFile = ({ last }: Piece): string => `layer-${String(last).padStart(2, '0')}.onnx`;

/** What a segment gives: the states that are needed later, and the stop signals. */
const outputsOf = ({ after, policies }: Piece, writes: readonly string[]): Values =>
  Object.fromEntries([
    ...writes.map((name) => [outputName(name), after[name]!] as const),
    ...Object.entries(policies),
  ]);

/** Cuts the path at the exits. Each piece starts from its own leaves; a state keeps its value until it is written again. */
function cut(family: Family, inputs: Values): Piece[] {
  const layers = layersOf(family);
  let before: Values = {};
  return family.exits.map((last, i) => {
    const above = family.exits[i - 1] ?? -1;
    const own = layers.filter((t) => t > above && t <= last);
    let after: Values = before;
    for (const t of own) after = { ...after, ...family.layer(t, { ...inputs, ...after }) };
    const read = { ...inputs, ...after };
    const piece: Piece = {
      first: own[0]!,
      last,
      before,
      after,
      policies: last < family.depth ? policiesAt(family, last, read) : {},
      decoded: family.decode?.(last, read) ?? {},
    };
    before = leavesFor(after);
    return piece;
  });
}

const policiesAt = (family: Family, t: number, read: Values): Values => ({
  pi: sigmoid(family.policy(t, read)),
  ...family.policies?.(t, read),
});

/** Leaves in the place of computed states. */
const leavesFor = (states: Values): Values =>
  leavesOf(Object.fromEntries(Object.entries(states).map(([name, { shape }]) => [name, shape])));

/** The states of piece `i` that a later segment, a decoder or the answer reads before they are written again. */
function stillNeeded(family: Family, pieces: readonly Piece[], i: number): string[] {
  const needed = new Set<string>(family.decode ? [] : family.outputs);
  if (family.statistic) needed.add(family.statistic.name);
  const live = new Set(written(pieces[i]!));
  for (const [j, piece] of pieces.slice(i).entries()) {
    if (j > 0) {
      const values = [
        ...written(piece).map((name) => piece.after[name]!),
        ...Object.values(piece.policies),
      ];
      for (const name of namesOf(values)) if (live.has(name)) needed.add(name);
      for (const name of written(piece)) live.delete(name);
    }
    for (const name of decoderReads(family, piece)) if (live.has(name)) needed.add(name);
  }
  return written(pieces[i]!).filter((name) => needed.has(name));
}

/** The states that a piece changes. */
const written = ({ before, after }: Piece): string[] =>
  Object.keys(after).filter((name) => after[name] !== before[name]);

function decoderReads(family: Family, { last, after }: Piece): string[] {
  if (!family.decode) return [];
  const leaves = { ...leavesOf(family.inputs), ...leavesFor(after) };
  return namesOf(Object.values(family.decode(last, leaves)));
}

function reads(family: Family, values: readonly Value[]): string[] {
  return namesOf(values).filter((name) => !family.parameters.has(name));
}

/** Names of the leaves that `values` depend on. */
function namesOf(values: readonly Value[]): string[] {
  const leaves = ancestors(values).filter(({ op }) => op.name === 'Input');
  return [...new Set(leaves.map(({ attrs }) => (attrs as { name: string }).name))];
}

/** All layers in one graph for one sample, which can end at any exit. */
function wholePath(family: Family, weights: ReadonlyMap<string, Weight>): Uint8Array {
  const one = (shape: Shape): Shape => shape.map((dim) => (dim === 'N' ? 1 : dim));
  const shapes = Object.entries(family.inputs).map(([name, shape]) => [name, one(shape)] as const);
  const inputs = leavesOf(Object.fromEntries(shapes));
  let chosen: Value | undefined;
  const steps: PathStep[] = [];
  let read: Values = inputs;
  for (const t of layersOf(family)) {
    read = { ...read, ...family.layer(t, read) };
    if (!family.exits.includes(t)) continue;
    const given = family.decode ? family.decode(t, read) : read;
    const policies = t < family.depth ? Object.values(policiesAt(family, t, read)) : [];
    chosen ??= input('policy', [policies.length]);
    steps.push({
      ...(t < family.depth && { pi: compared(policies, chosen) }),
      outputs: Object.fromEntries(family.outputs.map((name) => [name, given[name]!])),
    });
  }
  return toPathModel(steps, weights);
}

/** Of several values [1], the one for which `chosen` is 1. */
const compared = (policies: readonly Value[], chosen: Value): Value =>
  policies.length === 1 ? policies[0]! : reshape(reduceSum(mul(concat(policies, 0), chosen)), [1]);

function toPorts(values: Values): Port[] {
  return Object.entries(values).map(([name, { shape }]) => ({
    name,
    dtype: 'float32',
    shape: [...(shape satisfies Shape)],
  }));
}

/** FLOPs of stopping at each exit, read-out included, as a share of the whole path; the last is 1. */
export function sharesOf(family: Family, unit: FlopsUnit): number[] {
  const inputs = leavesOf(family.inputs);
  const { segments, heads } = flops(cut(family, inputs), inputs, unit);
  const upTo = heads.map((head, i) =>
    segments.slice(0, i + 1).reduce((sum, segment) => sum + segment, head),
  );
  return upTo.map((value) => value / upTo.at(-1)!);
}

function flops(
  pieces: readonly Piece[],
  inputs: Values,
  { per, symbols, divisor }: FlopsUnit,
): Manifest['flops'] {
  const count = (values: readonly Value[], except: readonly Value[]): number =>
    Math.round((countFlops(values, except, symbols) / divisor) * 100) / 100;
  const known = Object.values(inputs);
  return {
    per,
    segments: pieces.map(({ after, before }) =>
      count(Object.values(after), [...known, ...Object.values(before)]),
    ),
    heads: pieces.map(({ decoded, after }) => count(Object.values(decoded), Object.values(after))),
    policies: pieces.map(({ policies, after }) =>
      count(Object.values(policies), Object.values(after)),
    ),
  };
}
