/** The Open Inference Protocol over gRPC: the bytes of ModelInferRequest in, those of ModelInferResponse out. */
import type { Manifest } from '../../bundle/manifest.ts';
import type { DecodedRequest, TaskAnswer } from '../../engine/types.ts';
import { Problem } from '../../errors.ts';
import type { Task, TaskRequest } from '../task.ts';
import type { InputTensor } from '../tensor/inputs.ts';
import { methodNamed } from './grpc-messages.ts';
import {
  checkDatatype,
  floatsOf,
  modelNamed,
  toBytes,
  toDecoded,
  type InferResponse,
  type Parameters,
} from './protocol.ts';

/** A parameter as the message holds it; `parameter_choice` names the field that is set. */
interface InferParameter {
  readonly parameter_choice?: string;
  readonly [field: string]: string | number | boolean | undefined;
}
type ParameterMap = Readonly<Record<string, InferParameter>>;

/** The fields of a ModelInferRequest that are read; absent ones are empty. */
interface ModelInferRequest {
  readonly model_name?: string;
  readonly model_version?: string;
  readonly id?: string;
  readonly parameters?: ParameterMap;
  readonly inputs?: readonly {
    readonly name?: string;
    readonly datatype?: string;
    readonly shape?: readonly number[];
    readonly contents?: { readonly fp32_contents?: readonly number[] };
  }[];
  readonly outputs?: readonly { readonly name?: string; readonly parameters?: ParameterMap }[];
  readonly raw_input_contents?: readonly Uint8Array[];
}

const { requestDeserialize, responseSerialize } = methodNamed('ModelInfer');

/** Decodes ModelInfer messages for models of every task; the message names the model. The option `stream` says that it came in a stream. */
export const decodeGrpc: Task['decode'] = ({ body, options }: TaskRequest, { models }) =>
  new Promise((resolve) => resolve(decode(parse(body), models, options.stream === true)));

function parse(body: Uint8Array): ModelInferRequest {
  try {
    return requestDeserialize(Buffer.from(body.buffer, body.byteOffset, body.length));
  } catch (error) {
    throw new Problem('bad-body', 'The message is not a ModelInferRequest.', { cause: error });
  }
}

function decode(
  request: ModelInferRequest,
  models: ReadonlyMap<string, Manifest>,
  isStreamed: boolean,
): DecodedRequest {
  const { id, parameters = {}, outputs = [], model_version: version = '' } = request;
  const manifest = modelNamed(models, request.model_name ?? '', version);
  for (const { name, parameters: others = {} } of outputs)
    if (Object.keys(others).length > 0)
      throw new Problem('bad-body', `The output ${name} takes no parameters.`);
  return toDecoded(
    {
      ...(id && { id }),
      inputs: inputsOf(request),
      outputs: outputs.map(({ name = '' }) => name),
      parameters: fromMap(parameters),
      isStreamed,
    },
    manifest,
    encode,
  );
}

function inputsOf({ inputs = [], raw_input_contents: raw = [] }: ModelInferRequest): InputTensor[] {
  if (raw.length > 0 && raw.length !== inputs.length)
    throw new Problem(
      'bad-body',
      `There are ${inputs.length} inputs and ${raw.length} raw_input_contents; they must be equal.`,
    );
  return inputs.map(({ name = '', datatype = '', shape = [], contents }, i) => {
    checkDatatype(name, datatype);
    const bytes = raw[i];
    if (!bytes) return { name, shape, data: new Float32Array(contents?.fp32_contents ?? []) };
    if (contents)
      throw new Problem('bad-body', `The input ${name} has contents beside raw_input_contents.`);
    return { name, shape, data: floatsOf(name, bytes, shape) };
  });
}

const fromMap = (map: ParameterMap): Parameters =>
  Object.fromEntries(
    Object.entries(map).map(([name, value]) => [name, value[value.parameter_choice ?? ''] ?? '']),
  );

/** Parameters of answers that are whole numbers. The others are doubles, even where a value is whole: clients read one field. */
const COUNTS = ['sample', 'depth', 'max_depth', 'seed'];

function toParameter(name: string, value: Parameters[string]): object {
  if (typeof value === 'string') return { string_param: value };
  if (typeof value === 'boolean') return { bool_param: value };
  return COUNTS.includes(name) ? { int64_param: value } : { double_param: value };
}

function encode({ outputs, parameters, ...response }: InferResponse): TaskAnswer {
  const body = responseSerialize({
    ...response,
    parameters: Object.fromEntries(
      Object.entries(parameters).map(([name, value]) => [name, toParameter(name, value)]),
    ),
    outputs: outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    raw_output_contents: outputs.map(toBytes),
  });
  return { contentType: 'application/grpc', headers: {}, body };
}
