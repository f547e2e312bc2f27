/** Requests for recovery and the models that answer them. */
import { writeNpy } from '../../../src/codecs/npy.ts';
import { sparseRecovery } from '../../../src/tasks/sparse-recovery/serve.ts';
import type { TaskRequest } from '../../../src/tasks/task.ts';
import { byName, decoderOf, manifest } from '../fixtures.ts';

/** The measurements of a signal. */
export const M = 3;
export const recover = decoderOf(sparseRecovery);
export const models = byName(
  manifest('sparse-recovery', 'sparse-recovery', ['N', M]),
  manifest('denoise-gray', 'denoise', ['N', 1, 'h', 'w']),
);

export const json = (value: unknown, extra: Partial<TaskRequest> = {}): TaskRequest =>
  request('application/json', Buffer.from(JSON.stringify(value)), extra);
export const request = (
  contentType: string,
  body: Uint8Array,
  extra: Partial<TaskRequest> = {},
): TaskRequest => ({
  task: 'sparse-recovery',
  contentType,
  body,
  stopping: {},
  options: {},
  ...extra,
});
export const npy = (shape: number[], data: Float32Array | Float64Array): TaskRequest =>
  request('application/x-npy', writeNpy({ shape, data }));
export const raw = (data: Float32Array): TaskRequest =>
  request('application/octet-stream', Buffer.from(data.buffer));
