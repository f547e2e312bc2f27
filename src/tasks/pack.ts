import type { Packed } from '../engine/types.ts';
import type { FormPart, TaskRequest } from './task.ts';

/** A copy of the request whose buffers can be handed over to a worker. */
export function packRequest(request: TaskRequest): Packed {
  const body = new Uint8Array(request.body);
  const parts = request.parts?.map((part): FormPart =>
    'file' in part ? { ...part, file: new Uint8Array(part.file) } : part,
  );
  const files = (parts ?? []).flatMap((part) => ('file' in part ? [part.file] : []));
  return {
    request: { ...request, body, ...(parts && { parts }) },
    transfer: [body, ...files].map(({ buffer }) => buffer as ArrayBuffer),
  };
}
