/** The Open Inference Protocol over REST: JSON, with tensors in JSON or as bytes behind it, in both directions. */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Manifest } from '../../bundle/manifest.ts';
import type { DecodedRequest, TaskAnswer } from '../../engine/types.ts';
import { Problem, shortened } from '../../errors.ts';
import { jsonTensor } from '../../codecs/json-numbers.ts';
import { withField } from '../common/depth-report.ts';
import { explain, parseObject } from '../common/json-body.ts';
import { cutTensors, type CutBody } from '../common/json-tensors.ts';
import { JSON_TYPE, OCTETS } from '../common/media-types.ts';
import type { Task, TaskRequest } from '../task.ts';
import { sizeOf, type InputTensor } from '../tensor/inputs.ts';
import { fromNested } from '../tensor/nested.ts';
import type { OutputTensor } from '../tensor/outputs.ts';
import {
  checkDatatype,
  floatsOf,
  modelNamed,
  rawShape,
  toBytes,
  toDecoded,
  type InferResponse,
} from './protocol.ts';

/** The header that says how many bytes of a body are JSON; the bytes of tensors follow. */
export const JSON_LENGTH = 'inference-header-content-length';

const Parameters = Type.Record(
  Type.String(),
  Type.Union([Type.String(), Type.Number(), Type.Boolean()]),
);
const closed = { additionalProperties: false };

/** A request: the JSON of its body, or the part of it that is JSON. */
export const InferBody = Type.Object(
  {
    id: Type.Optional(Type.String()),
    model_name: Type.Optional(Type.String()),
    model_version: Type.Optional(Type.String()),
    parameters: Type.Optional(Parameters),
    inputs: Type.Array(
      Type.Object(
        {
          name: Type.String(),
          shape: Type.Array(Type.Integer({ minimum: 1 })),
          datatype: Type.String(),
          parameters: Type.Optional(Parameters),
          data: Type.Optional(
            Type.Unknown({ description: 'Numbers in row-major order, flat or nested.' }),
          ),
        },
        closed,
      ),
    ),
    outputs: Type.Optional(
      Type.Array(
        Type.Object({ name: Type.String(), parameters: Type.Optional(Parameters) }, closed),
      ),
    ),
  },
  closed,
);
type InferBody = Static<typeof InferBody>;
const schema = Compile(InferBody);

/**
 * Decodes infer requests for models of every task. `model` is the model's name; the option `json_bytes` is the value of
 * {@link JSON_LENGTH}, absent where the body is JSON alone.
 */
export const openInferenceRest: Pick<Task, 'name' | 'decode'> = {
  name: 'open-inference-rest',
  decode: (request, { models }) =>
    new Promise((resolve) => resolve(decode(request, modelNamed(models, request.model ?? '')))),
};

function decode({ body, options }: TaskRequest, manifest: Manifest): DecodedRequest {
  const jsonBytes = options.json_bytes === undefined ? body.length : Number(options.json_bytes);
  if (jsonBytes > body.length)
    throw new Problem(
      'bad-body',
      `${JSON_LENGTH} is ${jsonBytes}, but the body has ${body.length} bytes.`,
    );
  if (jsonBytes === 0) return decodeRaw(body, manifest);
  const { rest, tensors } = cutTensors(body.subarray(0, jsonBytes));
  const value = parseObject(rest, '{inputs, outputs?, parameters?, id?}');
  if (!schema.Check(value)) throw new Problem('bad-body', explain(value, schema.Errors(value)));
  const { id, outputs = [], parameters = {} } = value;
  const binary = new Map(
    outputs.map((output) => [output.name, isBinary(output.name, output.parameters)]),
  );
  const usual = parameters.binary_data_output === true;
  return toDecoded(
    {
      id,
      inputs: readInputs(value, body.subarray(jsonBytes), tensors),
      outputs: outputs.map(({ name }) => name),
      parameters,
    },
    manifest,
    (response) => encode(response, (name) => binary.get(name) ?? usual),
  );
}

function decodeRaw(body: Uint8Array, manifest: Manifest): DecodedRequest {
  const shape = rawShape(manifest, body.length / 4);
  const name = manifest.inputs[0]?.name ?? '';
  const inputs = [{ name, shape, data: floatsOf(name, body, shape) }];
  return toDecoded({ inputs, outputs: [], parameters: {} }, manifest, (response) =>
    encode(response, () => false),
  );
}

/** The `binary_data` of a requested output; undefined where the request as a whole decides. */
function isBinary(name: string, parameters: Static<typeof Parameters> = {}): boolean | undefined {
  const { binary_data: binary, ...others } = parameters;
  const [other] = Object.keys(others);
  if (other !== undefined || (binary !== undefined && typeof binary !== 'boolean'))
    throw new Problem(
      'bad-body',
      `The output ${shortened(name)} takes the parameter binary_data, true or false, and no ${shortened(other ?? 'other')}.`,
    );
  return binary;
}

function readInputs(
  { inputs }: InferBody,
  bytes: Uint8Array,
  cut: CutBody['tensors'],
): InputTensor[] {
  let start = 0;
  const tensors = inputs.map(({ name, shape, datatype, data, parameters = {} }, i) => {
    checkDatatype(name, datatype);
    const { binary_data_size: size } = parameters;
    const place = `inputs[${i}]`;
    if ((data === undefined) === (size === undefined))
      throw new Problem('bad-body', `${place} needs either data or parameters.binary_data_size.`);
    if (size === undefined) {
      const values = fromNested(data, `${place}.data`, cut).data;
      if (values.length !== sizeOf(shape))
        throw new Problem(
          'bad-body',
          `${place}.data has ${values.length} values; its shape [${shortened(shape.join(', '))}] takes ${sizeOf(shape)}.`,
        );
      return { name, shape, data: values };
    }
    const end = start + Number(size);
    if (typeof size !== 'number' || !(end >= start && end <= bytes.length))
      throw new Problem(
        'bad-body',
        `${place}.parameters.binary_data_size is ${shortened(String(size))}; ${bytes.length - start} bytes are left behind the JSON.`,
      );
    const part = bytes.subarray(start, end);
    start = end;
    return { name, shape, data: floatsOf(name, part, shape) };
  });
  if (start !== bytes.length)
    throw new Problem(
      'bad-body',
      `${bytes.length - start} bytes follow the tensors; binary_data_size must count all of them.`,
    );
  return tensors;
}

function encode(response: InferResponse, isBinary: (name: string) => boolean): TaskAnswer {
  const parts: Uint8Array[] = [];
  const outputs = response.outputs.map((tensor): Uint8Array => {
    const { name, datatype, shape } = tensor;
    if (!isBinary(name)) return withField({ name, datatype, shape }, 'data', [toJson(tensor)]);
    const bytes = toBytes(tensor);
    parts.push(bytes);
    const parameters = { binary_data_size: bytes.length };
    return Buffer.from(JSON.stringify({ name, datatype, shape, parameters }));
  });
  const list = outputs.flatMap((output, i) => [Buffer.from(i > 0 ? ',' : '['), output]);
  const json = withField({ ...response, outputs: undefined }, 'outputs', [
    ...list,
    Buffer.from(list.length > 0 ? ']' : '[]'),
  ]);
  if (parts.length === 0) return { contentType: JSON_TYPE, headers: {}, body: json };
  return {
    contentType: OCTETS,
    headers: { [JSON_LENGTH]: String(json.length) },
    body: Buffer.concat([json, ...parts]),
  };
}

/** Values in row-major order, flat; NaN and infinities become null. */
const toJson = ({ datatype, data }: OutputTensor): Uint8Array =>
  datatype === 'FP32' ? jsonTensor(data, [data.length]) : Buffer.from(JSON.stringify([...data]));
