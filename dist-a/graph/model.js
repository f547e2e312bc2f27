/** Writes a graph as an ONNX model. The only importer of the protobuf definitions. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AttributeProto_AttributeType, AttributeProtoSchema, GraphProtoSchema, ModelProtoSchema, NodeProtoSchema, OperatorSetIdProtoSchema, StringStringEntryProtoSchema, TensorProto_DataLocation, TensorProto_DataType, TensorProtoSchema, TensorShapeProto_DimensionSchema, TensorShapeProtoSchema, TypeProto_TensorSchema, TypeProtoSchema, ValueInfoProtoSchema, } from 'onnx-buf';
import { ancestors } from "./gradient.js";
import { inputOperator } from "./operators.js";
const OPSET = 18;
const IR_VERSION = 9;
const FLOAT = TensorProto_DataType.FLOAT;
/** The bytes of an ONNX model with the inputs that `outputs` need and that are not among `weights`. */
export function toModel({ outputs, weights = new Map() }) {
    const writer = new Writer();
    const names = new Map();
    const inputs = new Map();
    for (const value of ancestors(Object.values(outputs))) {
        names.set(value, value.op.lower(writer, value.inputs.map((input) => names.get(input)), value));
        if (value.op.name === inputOperator.name)
            inputs.set(names.get(value), value.shape);
    }
    for (const [name, value] of Object.entries(outputs))
        writer.rename(names.get(value), name);
    for (const [name, shape] of inputs) {
        const weight = weights.get(name);
        if (!weight)
            continue;
        writer.initializers.push(toInitializer(name, shape, weight));
        inputs.delete(name);
    }
    const graph = create(GraphProtoSchema, {
        name: 'stopwise',
        node: writer.nodes,
        initializer: writer.initializers,
        input: [...inputs].map(([name, shape]) => toInfo(name, shape)),
        output: Object.entries(outputs).map(([name, { shape }]) => toInfo(name, shape)),
    });
    const model = create(ModelProtoSchema, {
        irVersion: BigInt(IR_VERSION),
        producerName: 'stopwise',
        opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(OPSET) })],
        graph,
    });
    return toBinary(ModelProtoSchema, model);
}
/** The constants that lie in a model's own bytes, by name; those in files beside it are left out. */
export function readInitializers(bytes) {
    const { graph } = fromBinary(ModelProtoSchema, bytes);
    const found = (graph?.initializer ?? []).filter(({ dataType, rawData }) => dataType === FLOAT && rawData.length > 0);
    return new Map(found.map(({ name, rawData }) => {
        const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
        return [name, Float32Array.from({ length: rawData.length / 4 }, (_, i) => view.getFloat32(4 * i, true))];
    }));
}
class Writer {
    nodes = [];
    initializers = [];
    constants = new Map();
    node(opType, inputs, attributes = {}, outputs = 1) {
        const name = `${opType}_${this.nodes.length}`;
        this.nodes.push(create(NodeProtoSchema, {
            name,
            opType,
            input: [...inputs],
            output: Array.from({ length: outputs }, (_, i) => (i === 0 ? name : `${name}_${i}`)),
            attribute: Object.entries(attributes).map(([key, value]) => toAttribute(key, value)),
        }));
        return name;
    }
    int64(values) {
        return this.constant(`i[${values.join(',')}]`, () => ({
            dims: [BigInt(values.length)],
            dataType: TensorProto_DataType.INT64,
            int64Data: values.map(BigInt),
        }));
    }
    float(value) {
        return this.constant(`f${value}`, () => ({ dims: [], dataType: FLOAT, floatData: [value] }));
    }
    /** A result gets its public name through an Identity, which the runtime removes. */
    rename(from, to) {
        this.nodes.push(create(NodeProtoSchema, { name: `output ${to}`, opType: 'Identity', input: [from], output: [to] }));
    }
    constant(key, init) {
        if (!this.constants.has(key)) {
            const name = `constant_${this.constants.size}`;
            this.constants.set(key, name);
            this.initializers.push(create(TensorProtoSchema, { ...init(), name }));
        }
        return this.constants.get(key);
    }
}
function toInitializer(name, shape, { data, external }) {
    const dims = shape.map((dim) => BigInt(dim));
    const base = { name, dims, dataType: FLOAT };
    if (dims.reduce((a, b) => a * b, 1n) !== BigInt(data.length)) {
        throw new RangeError(`weight ${name} has ${data.length} values, not [${shape.join(',')}]`);
    }
    if (!external)
        return create(TensorProtoSchema, { ...base, rawData: littleEndian(data) });
    const entries = { location: external.file, offset: String(external.offset), length: String(data.byteLength) };
    return create(TensorProtoSchema, {
        ...base,
        dataLocation: TensorProto_DataLocation.EXTERNAL,
        externalData: Object.entries(entries).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value })),
    });
}
/** The bytes of float32 values as ONNX stores them. */
export function littleEndian(data) {
    const bytes = new Uint8Array(data.byteLength);
    const view = new DataView(bytes.buffer);
    data.forEach((value, i) => view.setFloat32(4 * i, value, true));
    return bytes;
}
function toAttribute(name, value) {
    const type = AttributeProto_AttributeType;
    if (typeof value === 'number')
        return create(AttributeProtoSchema, { name, type: type.INT, i: BigInt(value) });
    if (typeof value === 'string') {
        return create(AttributeProtoSchema, { name, type: type.STRING, s: new TextEncoder().encode(value) });
    }
    if ('float' in value)
        return create(AttributeProtoSchema, { name, type: type.FLOAT, f: value.float });
    return create(AttributeProtoSchema, { name, type: type.INTS, ints: value.map(BigInt) });
}
function toInfo(name, shape) {
    const dim = shape.map((size) => create(TensorShapeProto_DimensionSchema, {
        value: typeof size === 'number' ? { case: 'dimValue', value: BigInt(size) } : { case: 'dimParam', value: size },
    }));
    const tensor = create(TypeProto_TensorSchema, {
        elemType: FLOAT,
        shape: create(TensorShapeProtoSchema, { dim }),
    });
    return create(ValueInfoProtoSchema, {
        name,
        type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }),
    });
}
//# sourceMappingURL=model.js.map