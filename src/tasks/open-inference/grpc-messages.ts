/** The messages of the protocol over gRPC, from `proto/open-inference.proto`. */
import { fileURLToPath } from 'node:url';
import {
  loadSync,
  type MethodDefinition,
  type PackageDefinition,
  type ServiceDefinition,
} from '@grpc/proto-loader';

// The same distance from `src/tasks/open-inference` and from `dist/tasks/open-inference`.
const file = fileURLToPath(new URL('../../../proto/open-inference.proto', import.meta.url));

/** The whole package, for reflection. */
export const grpcPackage: PackageDefinition = loadSync(file, {
  keepCase: true,
  longs: Number,
  enums: String,
  oneofs: true,
});

/** `inference.GRPCInferenceService`: its methods with the readers and writers of their messages. */
export const inferenceService = grpcPackage['inference.GRPCInferenceService'] as ServiceDefinition;

/** A method of the service. */
export function methodNamed(name: string): MethodDefinition<object, object> {
  const method = inferenceService[name];
  if (!method) throw new RangeError(`no method ${name} in ${file}`);
  return method;
}
