/** Export: lowers a family with its weights to the files of a bundle, segment by segment. */
import { outputName } from "../bundle/manifest.js";
import { countFlops } from "../graph/flops.js";
import { ancestors } from "../graph/gradient.js";
import { littleEndian, toModel } from "../graph/model.js";
import { input, sigmoid } from "../graph/operators.js";
export const perSample = { per: 'sample', symbols: { N: 1 }, divisor: 1 };
/** Per pixel of an image of 256×256. */
export const perPixel = { per: 'pixel', symbols: { N: 1, h: 128, w: 128 }, divisor: 256 * 256 };
const SHARED = 'shared.bin';
export function lower(family, weights, unit) {
    const inputs = Object.fromEntries(Object.entries(family.inputs).map(([name, shape]) => [name, input(name, shape)]));
    const pieces = cut(family, inputs);
    const { shared, weightsByName } = constants(family, weights);
    const contents = new Map();
    if (shared.length > 0)
        contents.set(SHARED, shared);
    const segments = [];
    const decoders = [];
    for (const [i, piece] of pieces.entries()) {
        const number = String(piece.last).padStart(2, '0');
        const writes = stillNeeded(family, pieces, i);
        const outputs = Object.fromEntries([
            ...writes.map((name) => [outputName(name), piece.after[name]]),
            ...(piece.pi ? [['pi', piece.pi]] : []),
        ]);
        const file = `layer-${number}.onnx`;
        contents.set(file, toModel({ outputs, weights: weightsByName }));
        segments.push({ file, first: piece.first, last: piece.last, reads: reads(family, Object.values(outputs)), writes });
        if (!family.decode)
            continue;
        const decoder = `decode-${number}.onnx`;
        const leaves = { ...inputs, ...leavesFor(piece.after) };
        const decoded = family.decode(piece.last, leaves);
        contents.set(decoder, toModel({ outputs: decoded, weights: weightsByName }));
        decoders.push({ file: decoder, exit: piece.last, reads: reads(family, Object.values(decoded)) });
    }
    const last = pieces.at(-1);
    return {
        family: family.name,
        depth: family.depth,
        exits: [...family.exits],
        inputs: toPorts(inputs),
        states: toPorts(last.after),
        outputs: toPorts(Object.fromEntries(family.outputs.map((name) => [name, (family.decode ? last.decoded : last.after)[name]]))),
        segments,
        decoders,
        flops: flops(pieces, inputs, unit),
        contents,
    };
}
/** The path in pieces that end at the exits, each starting from leaves of its own. */
function cut(family, inputs) {
    let before = {};
    return family.exits.map((last, i) => {
        const first = (family.exits[i - 1] ?? 0) + 1;
        let after = before;
        for (let t = first; t <= last; t++)
            after = family.layer(t, { ...inputs, ...after });
        const read = { ...inputs, ...after };
        const piece = {
            first,
            last,
            before,
            after,
            ...(last < family.depth && { pi: sigmoid(family.policy(last, read)) }),
            decoded: family.decode?.(last, read) ?? {},
        };
        before = leavesFor(after);
        return piece;
    });
}
const leavesFor = (states) => Object.fromEntries(Object.entries(states).map(([name, { shape }]) => [name, input(name, shape)]));
/** The states after piece `i` that a later segment, a decoder or the answer reads. */
function stillNeeded(family, pieces, i) {
    const { after, last } = pieces[i];
    const next = pieces[i + 1];
    const needed = new Set();
    if (next)
        for (const name of namesOf([...Object.values(next.after), ...(next.pi ? [next.pi] : [])]))
            needed.add(name);
    if (family.decode) {
        const leaves = Object.fromEntries(Object.entries(family.inputs).map(([name, shape]) => [name, input(name, shape)]));
        for (const name of namesOf(Object.values(family.decode(last, { ...leaves, ...leavesFor(after) }))))
            needed.add(name);
    }
    else
        for (const name of family.outputs)
            needed.add(name);
    return Object.keys(after).filter((name) => needed.has(name));
}
function reads(family, values) {
    return namesOf(values).filter((name) => !family.parameters.has(name));
}
/** The names of the leaves that `values` are computed from. */
function namesOf(values) {
    const leaves = ancestors(values).filter(({ op }) => op.name === 'Input');
    return [...new Set(leaves.map(({ attrs }) => attrs.name))];
}
/** Constants lie once in a file of their own; every other weight lies in the graph that uses it. */
function constants(family, weights) {
    const weightsByName = new Map();
    const parts = [];
    let offset = 0;
    for (const [name, { role }] of family.parameters) {
        const data = weights.get(name);
        weightsByName.set(name, role === 'constant' ? { data, external: { file: SHARED, offset } } : { data });
        if (role !== 'constant')
            continue;
        parts.push(littleEndian(data));
        offset += data.byteLength;
    }
    return { shared: Buffer.concat(parts), weightsByName };
}
function toPorts(values) {
    return Object.entries(values).map(([name, { shape }]) => ({ name, dtype: 'float32', shape: [...shape] }));
}
function flops(pieces, inputs, { per, symbols, divisor }) {
    const count = (values, except) => Math.round((countFlops(values, except, symbols) / divisor) * 100) / 100;
    const known = Object.values(inputs);
    return {
        per,
        segments: pieces.map(({ after, before }) => count(Object.values(after), [...known, ...Object.values(before)])),
        heads: pieces.map(({ decoded, after }) => count(Object.values(decoded), Object.values(after))),
        policies: pieces.map(({ pi, after }) => (pi ? count([pi], Object.values(after)) : 0)),
    };
}
//# sourceMappingURL=export.js.map