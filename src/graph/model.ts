/** Writes a graph as an ONNX model. The only importer of the protobuf definitions. */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { ancestors } from './gradient.ts';
import { inputOperator } from './operators.ts';
import type { Attribute, ElementType, Lowering, Shape, Value } from './value.ts';

const OPSET = 18;
const IR_VERSION = 9;
const FLOAT: number = TensorProto_DataType.FLOAT;

/** The values of an input that an export turns into a constant. */
export interface Weight {
  readonly data: Float32Array | Int8Array;
  /** Location in a file beside the model, shared between models (ONNX external data). */
  readonly external?: { readonly file: string; readonly offset: number };
}

/** What {@link toModel} writes: the outputs, and the inputs that become constants. */
export interface ModelOptions {
  /** Outputs by name, in this order. */
  readonly outputs: Readonly<Record<string, Value>>;
  /** Inputs with these names become initializers. */
  readonly weights?: ReadonlyMap<string, Weight>;
}

/** Serialises an ONNX model; its inputs are those that `outputs` depend on, except `weights`. */
export function toModel({ outputs, weights = new Map() }: ModelOptions): Uint8Array {
  const writer = new Writer();
  const names: Names = new Map();
  lower(writer, names, Object.values(outputs));
  for (const [name, value] of Object.entries(outputs)) writer.rename(names.get(value)!, name);
  const infos = Object.entries(outputs).map(([name, { shape }]) => toInfo(name, shape));
  return finish(writer, Object.values(outputs), weights, [], infos);
}

/** The name that each value has been written under. */
export type Names = Map<Value, string>;

/** Writes what `values` need and `names` does not hold yet. */
export function lower(writer: Writer, names: Names, values: Iterable<Value>): void {
  for (const value of ancestors(values)) {
    if (names.has(value)) continue;
    const inputs = value.inputs.map((input) => names.get(input)!);
    names.set(value, value.op.lower(writer, inputs, value));
  }
}

/** The whole model: inputs that are among the weights become initializers. */
export function finish(
  writer: Writer,
  values: readonly Value[],
  weights: ReadonlyMap<string, Weight>,
  input: ValueInfoProto[],
  output: ValueInfoProto[],
): Uint8Array {
  const initializer = writer.initializers;
  for (const { op, attrs, shape } of ancestors(values)) {
    if (op.name !== inputOperator.name) continue;
    const { name } = attrs as { name: string };
    const weight = weights.get(name);
    if (weight) initializer.push(toInitializer(name, shape, weight));
    else input.push(toInfo(name, shape));
  }
  const graph = create(GraphProtoSchema, {
    name: 'stopwise',
    node: writer.nodes,
    initializer,
    input,
    output,
  });
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(IR_VERSION),
    producerName: 'stopwise',
    opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(OPSET) })],
    graph,
  });
  return toBinary(ModelProtoSchema, model);
}

/** Nodes of one graph; the constants of all graphs inside it lie with the outermost. */
export class Writer implements Lowering {
  readonly nodes: NodeProto[] = [];

  constructor(
    readonly initializers: TensorProto[] = [],
    private readonly constants = new Map<string, string>(),
    private readonly counter = { nodes: 0 },
  ) {}

  /** A writer for a subgraph, which can refer to values of this graph. */
  inside(): Writer {
    return new Writer(this.initializers, this.constants, this.counter);
  }

  node(
    opType: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {},
    outputs = 1,
  ): string {
    const list = Object.entries(attributes).map(([key, value]) => toAttribute(key, value));
    return this.write(opType, inputs, list, outputs)[0]!;
  }

  /** Adds an `If` on a condition [1]; returns the names of its outputs. */
  branch(condition: string, then: GraphProto, otherwise: GraphProto): string[] {
    const attribute = (name: string, g: GraphProto) =>
      create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.GRAPH, g });
    const attributes = [attribute('then_branch', then), attribute('else_branch', otherwise)];
    return this.write('If', [condition], attributes, then.output.length);
  }

  private write(
    opType: string,
    input: readonly string[],
    attribute: AttributeProto[],
    outputs: number,
  ): string[] {
    const name = `${opType}_${this.counter.nodes++}`;
    const output = Array.from({ length: outputs }, (_, i) => (i === 0 ? name : `${name}_${i}`));
    this.nodes.push(
      create(NodeProtoSchema, { name, opType, input: [...input], output, attribute }),
    );
    return output;
  }

  int64(values: readonly number[]): string {
    return this.constant(`i[${values.join(',')}]`, () => ({
      dims: [BigInt(values.length)],
      dataType: TensorProto_DataType.INT64,
      int64Data: values.map(BigInt),
    }));
  }

  float(value: number): string {
    return this.constant(`f${value}`, () => ({ dims: [], dataType: FLOAT, floatData: [value] }));
  }

  zeroPoint(type: ElementType, count?: number): string {
    return this.constant(`zero ${type} ${count}`, () => ({
      dims: count === undefined ? [] : [BigInt(count)],
      dataType: type === 'int8' ? TensorProto_DataType.INT8 : TensorProto_DataType.UINT8,
      rawData: new Uint8Array(count ?? 1),
    }));
  }

  /** Gives a value its public name with an Identity node, which ONNX Runtime removes. */
  rename(from: string, to: string): void {
    this.nodes.push(
      create(NodeProtoSchema, {
        name: `output ${to}`,
        opType: 'Identity',
        input: [from],
        output: [to],
      }),
    );
  }

  private constant(
    key: string,
    init: () => Parameters<typeof create<typeof TensorProtoSchema>>[1],
  ): string {
    if (!this.constants.has(key)) {
      const name = `constant_${this.constants.size}`;
      this.constants.set(key, name);
      this.initializers.push(create(TensorProtoSchema, { ...init(), name }));
    }
    return this.constants.get(key)!;
  }
}

function toInitializer(name: string, shape: Shape, { data, external }: Weight): TensorProto {
  const dims = shape.map((dim) => BigInt(dim));
  const isFloat = data instanceof Float32Array;
  const base = { name, dims, dataType: isFloat ? FLOAT : TensorProto_DataType.INT8 };
  if (dims.reduce((a, b) => a * b, 1n) !== BigInt(data.length)) {
    throw new RangeError(`weight ${name} has ${data.length} values, not [${shape.join(',')}]`);
  }
  const rawData = isFloat ? littleEndian(data) : Uint8Array.from(data);
  if (!external) return create(TensorProtoSchema, { ...base, rawData });
  const entries = {
    location: external.file,
    offset: String(external.offset),
    length: String(data.byteLength),
  };
  return create(TensorProtoSchema, {
    ...base,
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: Object.entries(entries).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    ),
  });
}

/** Little-endian bytes of float32 values, as ONNX stores them. */
export function littleEndian(data: Float32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(data.byteLength);
  const view = new DataView(bytes.buffer);
  data.forEach((value, i) => view.setFloat32(4 * i, value, true));
  return bytes;
}

function toAttribute(name: string, value: Attribute): AttributeProto {
  const type = AttributeProto_AttributeType;
  if (typeof value === 'number')
    return create(AttributeProtoSchema, { name, type: type.INT, i: BigInt(value) });
  if (typeof value === 'string') {
    return create(AttributeProtoSchema, {
      name,
      type: type.STRING,
      s: new TextEncoder().encode(value),
    });
  }
  if ('float' in value)
    return create(AttributeProtoSchema, { name, type: type.FLOAT, f: value.float });
  return create(AttributeProtoSchema, { name, type: type.INTS, ints: value.map(BigInt) });
}

/** ONNX description of a float32 input or output; symbolic dimensions become `dim_param`s. */
export function toInfo(name: string, shape: Shape) {
  const dim = shape.map((size) =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        typeof size === 'number'
          ? { case: 'dimValue', value: BigInt(size) }
          : { case: 'dimParam', value: size },
    }),
  );
  const tensor = create(TypeProto_TensorSchema, {
    elemType: FLOAT,
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }),
  });
}
