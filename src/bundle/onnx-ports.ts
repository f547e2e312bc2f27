/**
 * Reads the inputs and outputs that an ONNX file declares, without a session: a few fields of its protobuf, so that every
 * bundle can be checked at start and opened on first use. Field numbers are those of onnx.proto.
 */

/** An input or output as the file declares it; symbolic dimensions are strings. */
export interface DeclaredPort {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string)[];
}

/** Names of TensorProto.DataType that ports have. */
const types: Readonly<Record<number, string>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  6: 'int32',
  7: 'int64',
  9: 'bool',
  10: 'float16',
  11: 'float64',
};

const [MODEL_GRAPH, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT] = [7, 5, 11, 12];
const [NAME, TYPE] = [1, 2];
const [TENSOR_TYPE, ELEMENT_TYPE, SHAPE, DIMENSION] = [1, 1, 2, 1];
const [DIM_VALUE, DIM_PARAM, INITIALIZER_NAME] = [1, 2, 8];

/** @throws RangeError where the bytes are not an ONNX model */
export function declaredPorts(model: Uint8Array): {
  readonly inputs: readonly DeclaredPort[];
  readonly outputs: readonly DeclaredPort[];
} {
  const graph = fieldsOf(model).messages(MODEL_GRAPH)[0];
  if (!graph) throw new RangeError('it has no graph');
  const fields = fieldsOf(graph);
  const outputs = fields.messages(GRAPH_OUTPUT).map(toPort);
  if (outputs.length === 0) throw new RangeError('it has no outputs');
  // Before version 4 of the format, initializers were inputs as well.
  const constant = new Set(
    fields.messages(GRAPH_INITIALIZER).map((one) => fieldsOf(one).text(INITIALIZER_NAME)),
  );
  const inputs = fields.messages(GRAPH_INPUT).map(toPort);
  return { inputs: inputs.filter(({ name }) => !constant.has(name)), outputs };
}

function toPort(info: Uint8Array): DeclaredPort {
  const fields = fieldsOf(info);
  const [type] = fields.messages(TYPE);
  const [tensor] = type ? fieldsOf(type).messages(TENSOR_TYPE) : [];
  const name = fields.text(NAME);
  if (!tensor) return { name, type: 'unknown', shape: [] };
  const inner = fieldsOf(tensor);
  const [shape] = inner.messages(SHAPE);
  return {
    name,
    type: types[inner.number(ELEMENT_TYPE) ?? 0] ?? 'unknown',
    shape: shape ? fieldsOf(shape).messages(DIMENSION).map(toDimension) : [],
  };
}

function toDimension(dimension: Uint8Array): number | string {
  const fields = fieldsOf(dimension);
  return fields.number(DIM_VALUE) ?? fields.text(DIM_PARAM);
}

interface Fields {
  /** Every value of a length-delimited field. */
  messages(field: number): readonly Uint8Array[];
  /** The last value of an integer field. */
  number(field: number): number | undefined;
  text(field: number): string;
}

/** The fields of one protobuf message, one level deep. @throws RangeError where it is not one */
function fieldsOf(bytes: Uint8Array): Fields {
  const messages = new Map<number, Uint8Array[]>();
  const numbers = new Map<number, number>();
  let at = 0;
  const varint = (): number => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined || scale > 2 ** 63) throw new RangeError('it is no ONNX file');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const skip = (length: number): number => {
    const from = at;
    at += length;
    if (at > bytes.length) throw new RangeError('it is cut short');
    return from;
  };
  while (at < bytes.length) {
    const tag = varint();
    const [field, wire] = [Math.floor(tag / 8), tag % 8];
    if (wire === 0) numbers.set(field, varint());
    else if (wire === 1) skip(8);
    else if (wire === 5) skip(4);
    else if (wire === 2) {
      const length = varint();
      const from = skip(length);
      const list = messages.get(field);
      if (list) list.push(bytes.subarray(from, at));
      else messages.set(field, [bytes.subarray(from, at)]);
    } else throw new RangeError('it is no ONNX file');
  }
  return {
    messages: (field) => messages.get(field) ?? [],
    number: (field) => numbers.get(field),
    text: (field) => new TextDecoder().decode(messages.get(field)?.at(-1)),
  };
}
