import type { Task } from '../task.ts';

/** Decodes ModelInfer messages. The messages are loaded with the first request: a service without gRPC never needs them. */
export const openInferenceGrpc: Pick<Task, 'name' | 'decode'> = {
  name: 'open-inference-grpc',
  decode: async (request, context) => (await import('./grpc.ts')).decodeGrpc(request, context),
};
