/** A network of the task `tensor` with two exits: its input holds the scores of the first exit, then those of the second. */
import { join } from 'node:path';
import { SCHEMA_VERSION, type Port } from '../../src/bundle/manifest.ts';
import { writeBundle } from '../../src/bundle/write.ts';
import { toModel } from '../../src/graph/model.ts';
import { input, mul, slice } from '../../src/graph/operators.ts';

export const CLASSES = 4;

const port = (name: string, length: number): Port => ({
  name,
  dtype: 'float32',
  shape: ['N', length],
});

/**
 * Writes it as the bundle `exits`.
 * @param policy an ONNX model from `scores` [N,CLASSES] to `pi` [N], for the first exit
 * @param batch of the segments' graphs; a number is a mistake that exporters make
 */
export async function writeTwoExits(
  models: string,
  policy?: Uint8Array,
  batch: number | 'N' = 'N',
): Promise<void> {
  const x = input('x', [batch, 2 * CLASSES]);
  const half = (from: number) => mul(slice(x, 1, from, from + CLASSES), 1);
  const segment = (depth: number) => ({
    file: `layer-0${depth}.onnx`,
    first: depth,
    last: depth,
    reads: ['x'],
    writes: ['scores'],
  });
  const file = 'policy-01.onnx';
  await writeBundle(
    join(models, 'exits'),
    {
      schema_version: SCHEMA_VERSION,
      name: 'exits',
      version: '1',
      task: 'tensor',
      family: 'test',
      default: true,
      depth: 2,
      exits: [1, 2],
      inputs: [port('x', 2 * CLASSES)],
      states: [port('scores', CLASSES)],
      outputs: [port('scores', CLASSES)],
      segments: [segment(1), segment(2)],
      decoders: [],
      ...(policy && { policy_files: [{ file, exit: 1, reads: ['scores'] }] }),
      flops: { per: 'sample', segments: [0, 0], heads: [0, 0], policies: [0, 0] },
      training: {},
      task_files: [],
    },
    new Map([
      ['layer-01.onnx', toModel({ outputs: { next_scores: half(0) } })],
      ['layer-02.onnx', toModel({ outputs: { next_scores: half(CLASSES) } })],
      ...(policy ? [[file, policy] as const] : []),
    ]),
  );
}
