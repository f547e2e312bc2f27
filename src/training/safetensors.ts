/**
 * Named float32 arrays in the safetensors format: eight bytes of header length, a JSON header, the values. Other tools can
 * read the files, and ONNX files can refer to the values by offset.
 */
import Type from 'typebox';
import Value from 'typebox/value';

const Metadata = Type.Record(Type.String(), Type.String());
const Entry = Type.Object({ data_offsets: Type.Tuple([Type.Integer(), Type.Integer()]) });
const Entries = Type.Record(Type.String(), Entry);

/** A safetensors file in memory, with the byte offset of each array. */
export interface Encoded {
  readonly bytes: Uint8Array;
  /** The offset of each array's values in `bytes`. */
  readonly offsets: ReadonlyMap<string, number>;
}

/**
 * Writes each array as a one-dimensional F32 tensor, in the order of the map.
 * The header is padded to a multiple of 8 bytes, so values are aligned.
 */
export function encodeTensors(
  tensors: ReadonlyMap<string, Float32Array>,
  metadata: Readonly<Record<string, string>> = {},
): Encoded {
  const header: Record<string, unknown> = { __metadata__: metadata };
  const begins = new Map<string, number>();
  let end = 0;
  for (const [name, data] of tensors) {
    begins.set(name, end);
    header[name] = {
      dtype: 'F32',
      shape: [data.length],
      data_offsets: [end, (end += data.byteLength)],
    };
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const parts = [...tensors.values()].map((data) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  );
  const start = 8 + padded.length;
  return {
    bytes: Buffer.concat([length, padded, ...parts]),
    offsets: new Map([...begins].map(([name, begin]) => [name, start + begin])),
  };
}

/** @throws RangeError where the bytes are not in this format */
export function decodeTensors(bytes: Buffer): {
  tensors: Map<string, Float32Array>;
  metadata: Record<string, string>;
} {
  const length = bytes.length >= 8 ? Number(bytes.readBigUInt64LE(0)) : 0;
  if (length === 0 || 8 + length > bytes.length) throw new RangeError('it is no safetensors file');
  const { __metadata__: metadata = {}, ...entries } = parseHeader(
    bytes.toString('utf8', 8, 8 + length),
  );
  if (!Value.Check(Metadata, metadata) || !Value.Check(Entries, entries))
    throw new RangeError('its header is not that of a safetensors file');
  const tensors = new Map<string, Float32Array>();
  for (const [name, { data_offsets: range }] of Object.entries(entries)) {
    const slice = bytes.subarray(8 + length + range[0], 8 + length + range[1]);
    tensors.set(name, new Float32Array(Uint8Array.from(slice).buffer));
  }
  return { tensors, metadata };
}

function parseHeader(text: string): Record<string, unknown> {
  try {
    return { ...(JSON.parse(text) as object) };
  } catch (error) {
    throw new RangeError('its header is no JSON', { cause: error });
  }
}
