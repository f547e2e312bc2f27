/** Writes a whole path as one ONNX model that may end at any step. */
import { create } from '@bufbuild/protobuf';
import { GraphProtoSchema, ValueInfoProtoSchema, type GraphProto } from 'onnx-buf';
import { finish, lower, toInfo, Writer, type Names, type Weight } from './model.ts';
import type { Value } from './value.ts';

/** One step of a path, after which the path may end. */
export interface PathStep {
  /** π, [1]; absent at the last step. */
  readonly pi?: Value;
  /** Outputs when the path ends here; names and shapes are the same at every step. */
  readonly outputs: Readonly<Record<string, Value>>;
}

/** Names of the additional input and outputs of a path. */
export const pathPorts = { thresholds: 'thresholds', pi: 'pi', step: 'step' } as const;

/**
 * A path in one graph, for one sample: after each step π is compared with its threshold, and a chain of `If` nodes runs the
 * next step or the read-out. Outputs: those of the model, `pi` [steps − 1] (0 for steps that were not reached) and `step` [],
 * the index of the last step, from 0.
 */
export function toPathModel(
  steps: readonly PathStep[],
  weights: ReadonlyMap<string, Weight>,
): Uint8Array {
  const last = steps.length - 1;
  const outputs = Object.entries(steps[0]!.outputs);
  const infos = [
    ...outputs.map(([name, { shape }]) => toInfo(name, shape)),
    toInfo(pathPorts.pi, [last]),
    toInfo(pathPorts.step, []),
  ];
  const end = (writer: Writer, names: Names, at: number): string[] => {
    const values = Object.values(steps[at]!.outputs);
    lower(writer, names, values);
    const seen = steps.slice(0, Math.min(at + 1, last)).map(({ pi }) => names.get(pi!)!);
    const rest = Array.from({ length: last - seen.length }, () =>
      writer.node('Unsqueeze', [writer.float(0), writer.int64([0])]),
    );
    const pis = [...seen, ...rest];
    return [
      ...values.map((value) => names.get(value)!),
      writer.node('Concat', pis, { axis: 0 }),
      writer.float(at),
    ];
  };
  const from = (writer: Writer, names: Names, at: number): string[] => {
    const { pi } = steps[at]!;
    if (!pi) return end(writer, names, at);
    lower(writer, names, [pi]);
    const threshold = writer.node('Slice', [
      pathPorts.thresholds,
      writer.int64([at]),
      writer.int64([at + 1]),
    ]);
    const fires = writer.node('Greater', [names.get(pi)!, threshold]);
    const branch = (body: (inner: Writer, known: Names) => string[]): GraphProto => {
      const inner = writer.inside();
      const results = body(inner, new Map(names)).map((name) => inner.node('Identity', [name]));
      const output = results.map((name, i) => create(ValueInfoProtoSchema, { ...infos[i]!, name }));
      return create(GraphProtoSchema, { name: `step ${at}`, node: inner.nodes, output });
    };
    return writer.branch(
      fires,
      branch((inner, known) => end(inner, known, at)),
      branch((inner, known) => from(inner, known, at + 1)),
    );
  };
  const writer = new Writer();
  const results = from(writer, new Map(), 0);
  infos.forEach(({ name }, i) => writer.rename(results[i]!, name));
  const all = steps.flatMap((step) => [
    ...Object.values(step.outputs),
    ...(step.pi ? [step.pi] : []),
  ]);
  return finish(
    writer,
    all,
    weights,
    last > 0 ? [toInfo(pathPorts.thresholds, [last])] : [],
    infos,
  );
}
