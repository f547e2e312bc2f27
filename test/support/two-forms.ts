/** A network with a variant that is told from float by its answers: float gives an eighth of its input, the variant 0.12 of it. */
import { join } from 'node:path';
import {
  SCHEMA_VERSION,
  type Calibration,
  type Manifest,
  type Port,
} from '../../src/bundle/manifest.ts';
import { writeBundle } from '../../src/bundle/write.ts';
import { toModel } from '../../src/graph/model.ts';
import { add, input, mul, reduceMean, sigmoid, sub } from '../../src/graph/operators.ts';
import type { Shape, Value } from '../../src/graph/value.ts';

/** What the output is of the input at the exits 2 and 3. */
export const FACTORS = { float: [0.25, 0.125], int8: [0.3, 0.12] } as const;
/** The statistic's range in which the variant may be used. */
export const RANGE = { minimum: 0.4, maximum: 1 };
/** Operations that a slow segment has more, which change nothing. */
const MORE_WORK = 300;

interface Form {
  readonly task: string;
  readonly input: string;
  readonly output: string;
  readonly shape: Shape;
}
export const vectors: Form = { task: 'tensor', input: 'x', output: 'y', shape: ['N', 4] };
export const images: Form = {
  task: 'denoise',
  input: 'image',
  output: 'denoised',
  shape: ['N', 1, 'h', 'w'],
};

/** σ(8 (0.5 − level)), the same at exits 0 and 2: at level 0.6 it is 0.31. */
const piOf = (level: Value): Value => sigmoid(mul(sub(0.5, level), 8));

function slowly(value: Value): Value {
  let work = value;
  for (let i = 0; i < MORE_WORK; i++) work = mul(work, 0.999);
  return add(value, mul(work, 0));
}

export const row = (
  tolerance: number,
  rule: Partial<Calibration['rows'][number]>,
): Calibration['rows'][number] => ({
  ...{ tolerance, threshold: null, share: 0.99, bound: 0.96, n: 3000, mean_depth: 1, ms: 0.1 },
  guaranteed: true,
  ...rule,
});

export const table = (rows: Calibration['rows']): Calibration => ({
  ...{ unit: 'dB', default: 0.2, data: 'made up', rows },
});

/**
 * Writes it. The statistic, `level`, is the mean of the input.
 * @param slow the form whose segments take longer
 * @param files in place of its own, by name: `int8-02.onnx`, `int8-03.onnx`, …
 */
export function writeTwoForms(
  models: string,
  name: string,
  {
    form = vectors,
    slow = 'float',
    change = {},
    variant = {},
    files = {},
  }: {
    readonly form?: Form;
    readonly slow?: 'float' | 'int8';
    readonly change?: Partial<Manifest>;
    readonly variant?: Partial<NonNullable<Manifest['variants']>[number]>;
    readonly files?: Readonly<Record<string, Uint8Array>>;
  } = {},
): Promise<Manifest> {
  const { task, shape } = form;
  const axes = shape.slice(1).map((_, i) => i + 1);
  const x = input(form.input, shape);
  const y = input(form.output, shape);
  const level = input('level', ['N']);
  const seen = reduceMean(x, axes);
  const next = `next_${form.output}`;
  const segments = (of: 'float' | 'int8') => {
    const [two, three] = FACTORS[of];
    const worked = (value: Value): Value => (of === slow ? slowly(value) : value);
    return [
      toModel({ outputs: { [next]: worked(mul(x, two)), pi: piOf(level) } }),
      toModel({ outputs: { [next]: worked(mul(y, three / two)) } }),
    ] as const;
  };
  const [float2, float3] = segments('float');
  const [int2, int3] = segments('int8');
  const port = (port: string, dims: Shape): Port => ({
    ...{ name: port, dtype: 'float32', shape: [...dims] },
  });
  return writeBundle(
    join(models, name),
    {
      ...{ schema_version: SCHEMA_VERSION, name, version: '1', task, family: 'test' },
      ...{ default: false, depth: 3, exits: [0, 2, 3], statistic: 'level', threshold: 0.9 },
      inputs: [port(form.input, shape)],
      states: [port('level', ['N']), port(form.output, shape)],
      outputs: [port(form.output, shape)],
      segments: [
        { file: 'layer-00.onnx', first: 0, last: 0, reads: [form.input], writes: ['level'] },
        {
          ...{ file: 'layer-02.onnx', first: 1, last: 2 },
          ...{ reads: [form.input, 'level'], writes: [form.output] },
        },
        { file: 'layer-03.onnx', first: 3, last: 3, reads: [form.output], writes: [form.output] },
      ],
      decoders: [{ file: 'decode-00.onnx', exit: 0, reads: [form.input] }],
      variants: [
        {
          ...{ name: 'int8', statistic: RANGE, loss: 0.01 },
          segments: ['layer-00.onnx', 'int8-02.onnx', 'int8-03.onnx'],
          ...variant,
        },
      ],
      flops: { per: 'sample', segments: [0, 0, 0], heads: [0, 0, 0], policies: [0, 0, 0] },
      ...{ training: {}, task_files: [] },
      ...change,
    },
    new Map(
      Object.entries({
        'layer-00.onnx': toModel({ outputs: { next_level: seen, pi: piOf(seen) } }),
        'layer-02.onnx': float2,
        'layer-03.onnx': float3,
        'int8-02.onnx': int2,
        'int8-03.onnx': int3,
        'decode-00.onnx': toModel({ outputs: { [form.output]: mul(x, 1) } }),
        ...files,
      }),
    ),
  );
}
