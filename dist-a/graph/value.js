/** A graph is a set of values: each knows the operator that gives it, its inputs and its shape. */
let created = 0;
export function node(op, inputs, attrs) {
    const value = { id: created++, op, inputs, attrs, shape: op.shape(inputs, attrs), type: op.type ?? 'float32' };
    return value;
}
/** `k` times a dimension. */
export function multiply(dim, k) {
    if (typeof dim === 'number')
        return dim * k;
    const { factor, symbol } = parse(dim);
    return format(factor * k, symbol);
}
/** A dimension divided by `k`, which must divide it. */
export function divide(dim, k) {
    const { factor, symbol } = typeof dim === 'number' ? { factor: dim, symbol: '' } : parse(dim);
    if (factor % k !== 0)
        throw new RangeError(`dimension ${dim} is not a multiple of ${k}`);
    return symbol === '' ? factor / k : format(factor / k, symbol);
}
/** A dimension that must be a number, for operators that cannot work on a symbol. */
export function known(dim) {
    if (typeof dim !== 'number')
        throw new TypeError(`dimension ${dim} must be a number here`);
    return dim;
}
export function isStatic(shape) {
    return shape.every((dim) => typeof dim === 'number');
}
export function elements(shape) {
    return shape.reduce((product, dim) => product * known(dim), 1);
}
export function sameShape(a, b) {
    return a.length === b.length && a.every((dim, i) => dim === b[i]);
}
/** NumPy's broadcasting; symbols broadcast only against themselves and 1. */
export function broadcast(a, b) {
    const rank = Math.max(a.length, b.length);
    return Array.from({ length: rank }, (_, i) => {
        const p = a[a.length - rank + i] ?? 1;
        const q = b[b.length - rank + i] ?? 1;
        if (p !== q && p !== 1 && q !== 1)
            throw new RangeError(`cannot broadcast [${a.join(',')}] with [${b.join(',')}]`);
        return p === 1 ? q : p;
    });
}
function parse(dim) {
    const star = dim.indexOf('*');
    return star < 0 ? { factor: 1, symbol: dim } : { factor: Number(dim.slice(0, star)), symbol: dim.slice(star + 1) };
}
function format(factor, symbol) {
    return factor === 1 ? symbol : `${factor}*${symbol}`;
}
//# sourceMappingURL=value.js.map