/**
 * Checkpoints: named float32 arrays and a few words, in one file of the safetensors format (eight bytes of header
 * length, a JSON header, the values), so that other tools can read them.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
/** Writes beside the file first and renames, so that a checkpoint is whole or absent. */
export async function writeCheckpoint(file, { tensors, meta }) {
    let offset = 0;
    const header = { __metadata__: { stopwise: JSON.stringify(meta) } };
    for (const [name, data] of tensors) {
        header[name] = { dtype: 'F32', shape: [data.length], data_offsets: [offset, (offset += data.byteLength)] };
    }
    const text = Buffer.from(JSON.stringify(header));
    const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, ' ')]);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(padded.length));
    const parts = [...tensors.values()].map((data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    await writeFile(`${file}.part`, Buffer.concat([length, padded, ...parts]));
    await rename(`${file}.part`, file);
}
/** @throws where the file is not a checkpoint of this project */
export async function readCheckpoint(file) {
    const bytes = await readFile(file);
    const length = bytes.length >= 8 ? Number(bytes.readBigUInt64LE(0)) : 0;
    if (length === 0 || 8 + length > bytes.length)
        throw new Error(`${file} is not a checkpoint`);
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
    const { __metadata__: words, ...entries } = header;
    if (!words?.stopwise)
        throw new Error(`${file} is a safetensors file, but not a checkpoint of this project`);
    const tensors = new Map();
    for (const [name, { data_offsets: range }] of Object.entries(entries)) {
        const slice = bytes.subarray(8 + length + range[0], 8 + length + range[1]);
        tensors.set(name, new Float32Array(Uint8Array.from(slice).buffer));
    }
    return { tensors, meta: JSON.parse(words.stopwise) };
}
//# sourceMappingURL=checkpoint.js.map