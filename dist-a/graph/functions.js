/** What models are written with beyond the table's operators: compositions of them. */
import { abs, add, div, exp, log, matmul, max, mul, neg, reduceMax, reduceMean, reduceSum, reshape, slice, sqrt, stopGradient, sub, } from "./operators.js";
import { known } from "./value.js";
export const square = (x) => mul(x, x);
/** x [N,i] · w [i,o] + b [o]. */
export const linear = (x, w, b) => (b ? add(matmul(x, w), b) : matmul(x, w));
/** log Σ exp along one axis, which is dropped. */
export function logSumExp(x, axis) {
    const top = stopGradient(reduceMax(x, [axis], true));
    const sum = log(reduceSum(exp(sub(x, top)), [axis], true));
    return reshape(add(sum, top), x.shape.filter((_, i) => i !== axis));
}
export function logSoftmax(x, axis) {
    const kept = x.shape.map((dim, i) => (i === axis ? 1 : dim));
    return sub(x, reshape(logSumExp(x, axis), kept));
}
/** log σ(x), without overflow on either side. */
export const logSigmoid = (x) => sub(neg(max(neg(x), 0)), log(add(1, exp(neg(abs(x))))));
/** The root mean square along `axes`, which are kept with size 1. */
export const rootMeanSquare = (x, axes, epsilon = 1e-12) => sqrt(add(reduceMean(square(x), axes, true), epsilon));
/** 2×2 max pooling of [N,C,H,W] with known H and W; an odd last row or column is left out. */
export function maxPool2(x) {
    const [h, w] = x.shape.slice(2).map((dim) => known(dim) - (known(dim) % 2));
    const rows = max(slice(x, 2, 0, h, 2), slice(x, 2, 1, h, 2));
    return max(slice(rows, 3, 0, w, 2), slice(rows, 3, 1, w, 2));
}
/** Batch normalisation by the statistics of the batch itself, per channel of [N,C,H,W]; scale and shift are [C,1,1]. */
export function batchNorm(x, scale, shift, epsilon = 1e-5) {
    const axes = [0, 2, 3];
    const centred = sub(x, reduceMean(x, axes, true));
    return add(mul(div(centred, rootMeanSquare(centred, axes, epsilon)), scale), shift);
}
//# sourceMappingURL=functions.js.map