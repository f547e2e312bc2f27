/** A bundle made ready to run: its sessions, checked against its manifest, and what is known of its speed. */
import { join } from 'node:path';
import { outputName } from "../bundle/manifest.js";
import { Session } from "../runtime/session.js";
/** @throws a sentence that names the file where a session cannot be made or does not fit the manifest */
export async function loadModel({ directory, manifest }, provider, threads) {
    const ports = new Map([...manifest.inputs, ...manifest.states, ...manifest.outputs].map((port) => [port.name, port]));
    const onHost = new Set(manifest.outputs.map(({ name }) => name));
    const open = async (file, options) => {
        const path = join(directory, file);
        return Session.load(path, options).catch((error) => {
            throw new Error(`${path} cannot be loaded by the ${provider} provider: ${error instanceof Error ? error.message : String(error)}`);
        });
    };
    const segments = [];
    for (const segment of manifest.segments) {
        const resident = segment.writes.filter((name) => !onHost.has(name)).map(outputName);
        const session = await open(segment.file, { provider, threads, resident });
        const outputs = segment.writes.map((name) => ({ ...ports.get(name), name: outputName(name) }));
        if (segment.last < manifest.depth)
            outputs.push({ name: 'pi', dtype: 'float32', shape: ['N'] });
        check(join(directory, segment.file), session, segment.reads.map((name) => ports.get(name)), outputs);
        segments.push({ ...segment, session, limit: 1, pace: 0 });
    }
    const decoders = new Map();
    for (const { file, exit, reads } of manifest.decoders) {
        const session = await open(file, { provider, threads });
        check(join(directory, file), session, reads.map((name) => ports.get(name)), manifest.outputs);
        decoders.set(exit, { reads, session });
    }
    return { manifest, segments, decoders };
}
export async function releaseModel({ segments, decoders }) {
    for (const { session } of [...segments, ...decoders.values()])
        await session.release();
}
function check(file, { inputs, outputs }, reads, writes) {
    const compare = (kind, actual, expected) => {
        for (const { name, shape } of expected) {
            const port = actual.find((candidate) => candidate.name === name);
            if (!port)
                throw new Error(`${file} has no ${kind} ${name}; it has ${actual.map((candidate) => candidate.name).join(', ')}.`);
            if (port.type !== 'float32')
                throw new Error(`${file}: the ${kind} ${name} is ${port.type}, not float32.`);
            const fits = port.shape.length === shape.length &&
                shape.every((dim, i) => typeof dim !== 'number' || typeof port.shape[i] !== 'number' || port.shape[i] === dim);
            if (!fits)
                throw new Error(`${file}: the ${kind} ${name} is [${port.shape.join(', ')}], not [${shape.join(', ')}] as its manifest says.`);
        }
    };
    compare('input', inputs, reads);
    compare('output', outputs, writes);
    const unknown = inputs.find(({ name }) => !reads.some((port) => port.name === name));
    if (unknown)
        throw new Error(`${file} needs an input ${unknown.name} that its manifest does not name.`);
}
//# sourceMappingURL=model.js.map