/**
 * Unfolded vector approximate message passing (Rangan, Schniter & Fletcher 2017; Borgerding, Schniter & Rangan 2017):
 * measurements [N,m] → signal [N,n]. A layer is a linear estimate of the signal from the residual, followed by the
 * posterior mean under a sparse prior, each corrected so that the other sees its error as fresh noise. Prior, noise level
 * and error levels are not told but learnt: a few numbers a layer, so that a model for a new matrix is trained in minutes.
 */
import { linear, rootMeanSquare, square } from "../graph/functions.js";
import { add, concat, div, exp, log, matmul, max, min, mul, reduceMean, reshape, relu, sigmoid, slice, sub } from "../graph/operators.js";
import { known } from "../graph/value.js";
import { constant, normal, Parameters } from "./family.js";
import { singularValues } from "./matrix.js";
export const defaultVamp = { depth: 12, hidden: 12 };
/** Parts of the spectrum over which the residual's power is averaged: noise and error are told apart by how they spread. */
const BANDS = 4;
const TINY = 1e-10;
/**
 * With A = U diag(s) Vᵀ the state holds the measurements in the basis of U (`rotated`, [N,k]), the linear stage's input
 * and the variance of its error (`prediction` [N,n], `variance` [N,1]), the noise's variance (`noise` [N,1]), the estimate
 * (`signal` [N,n]) and the error it expects of itself (`uncertainty` [N,1]).
 */
export function defineVamp({ matrix, depth, hidden }) {
    const { rows: m, columns: n } = matrix;
    const { left, values, right } = singularValues(matrix);
    const k = values.length;
    const parameters = new Parameters();
    const u = parameters.define('left', [m, k], () => left, 'constant');
    const vt = parameters.define('right', [k, n], () => right, 'constant');
    const v = parameters.define('right-transposed', [n, k], () => transposed(right, k, n), 'constant');
    const s = parameters.define('singular-values', [k], () => values, 'constant');
    const power = values.reduce((sum, value) => sum + value * value, 0) / k;
    const layers = Array.from({ length: depth }, (_, i) => defineLayer(parameters, i + 1, hidden));
    const policies = layers.slice(0, -1).map((_, i) => definePolicy(parameters, i + 1, hidden));
    return {
        name: 'vamp',
        depth,
        exits: layers.map((_, i) => i + 1),
        inputs: { measurements: ['N', m] },
        outputs: ['signal'],
        parameters: parameters.all,
        layer(t, read) {
            const layer = layers[t - 1];
            const rotated = read.rotated ?? matmul(read.measurements, u);
            const residual = read.prediction ? sub(rotated, mul(matmul(read.prediction, v), s)) : rotated;
            const total = add(reduceMean(square(residual), [1], true), TINY);
            const before = {
                variance: read.variance ?? div(total, power),
                noise: read.noise ?? mul(total, 1e-3),
            };
            const { variance, noise } = layer.levels(residual, before);
            const { step, error } = linearStage(residual, s, variance, noise, n);
            const moved = matmul(step, vt);
            const seen = read.prediction ? add(read.prediction, moved) : moved;
            const { mean, posterior } = layer.shrink(seen, error);
            // ⟨η′⟩ of the posterior mean is its posterior variance over the variance of the error it saw.
            const slope = max(min(div(posterior, error), 0.95), 1e-4);
            const rest = sub(1, slope);
            return {
                rotated,
                prediction: div(sub(mean, mul(seen, slope)), rest),
                variance: div(mul(error, slope), rest),
                noise,
                signal: mean,
                uncertainty: posterior,
            };
        },
        policy: (t, read) => policies[t - 1](read),
    };
}
/** The linear minimum-mean-square-error step in the basis of V, scaled to be unbiased, and its error's variance. */
function linearStage(residual, s, variance, noise, n) {
    const signalPower = mul(square(s), variance);
    const gain = div(signalPower, add(signalPower, noise));
    const share = mul(reduceMean(gain, [1], true), known(s.shape[0]) / n);
    const step = div(div(mul(gain, residual), s), share);
    return { step, error: div(mul(variance, sub(1, share)), share) };
}
function defineLayer(parameters, t, hidden) {
    const name = (part) => `layer-${t}-${part}`;
    const number = (part, value) => parameters.define(name(part), [1], constant(1, value));
    const inputs = BANDS + 2;
    const w1 = parameters.define(name('levels-w1'), [inputs, hidden], normal(inputs * hidden, 0.3));
    const b1 = parameters.define(name('levels-b1'), [hidden], constant(hidden, 0));
    const w2 = parameters.define(name('levels-w2'), [hidden, 2], constant(2 * hidden, 0));
    const b2 = parameters.define(name('levels-b2'), [2], constant(2, 0));
    const odds = number('log-odds', -2.2);
    const slab = number('log-slab', 0);
    const trust = number('log-trust', 0);
    return {
        /** Corrects the expected levels of noise and error by what the residual's power over the spectrum says of them. */
        levels(residual, { variance, noise }) {
            const k = known(residual.shape[1]);
            const edges = Array.from({ length: BANDS + 1 }, (_, i) => Math.round((i * k) / BANDS));
            const reference = log(variance);
            const bands = edges.slice(1).map((end, i) => log(add(reduceMean(square(slice(residual, 1, edges[i], end)), [1], true), TINY)));
            const features = concat([...bands.map((band) => sub(band, reference)), sub(log(noise), reference), mul(reference, 0.3)], 1);
            const correction = linear(relu(linear(mul(features, 0.5), w1, b1)), w2, b2);
            const part = (i) => exp(max(min(slice(correction, 1, i, i + 1), 8), -8));
            return { variance: add(mul(variance, part(0)), TINY), noise: add(mul(noise, part(1)), TINY) };
        },
        /** Mean and variance (averaged over the entries) of x given x + N(0, error), for x zero or from a normal slab. */
        shrink(seen, error) {
            const seenError = mul(error, exp(trust));
            const slabVariance = exp(slab);
            const sum = add(seenError, slabVariance);
            const weight = div(slabVariance, sum);
            const evidence = add(mul(square(seen), div(mul(weight, 0.5), seenError)), add(odds, mul(log(div(seenError, sum)), 0.5)));
            const active = sigmoid(max(min(evidence, 60), -60));
            const ifActive = mul(seen, weight);
            const mean = mul(active, ifActive);
            const second = mul(active, add(square(ifActive), mul(weight, seenError)));
            return { mean, posterior: add(reduceMean(sub(second, square(mean)), [1], true), TINY) };
        },
    };
}
/** A perceptron on what the layer knows of itself: expected error, noise and the size of the estimate. */
function definePolicy(parameters, t, hidden) {
    const w1 = parameters.define(`policy-${t}-w1`, [4, hidden], normal(4 * hidden, 0.4), 'policy');
    const b1 = parameters.define(`policy-${t}-b1`, [hidden], constant(hidden, 0), 'policy');
    const w2 = parameters.define(`policy-${t}-w2`, [hidden, 1], normal(hidden, Math.sqrt(1 / hidden)), 'policy');
    const b2 = parameters.define(`policy-${t}-b2`, [1], constant(1, 0), 'policy');
    return ({ signal, uncertainty, noise, variance }) => {
        const size = mul(log(add(rootMeanSquare(signal, [1]), 1e-6)), 2);
        const levels = [uncertainty, noise, variance].map((level) => mul(sub(log(level), size), 0.5));
        const features = concat([...levels, size], 1);
        return reshape(linear(relu(linear(features, w1, b1)), w2, b2), [signal.shape[0]]);
    };
}
function transposed(data, rows, columns) {
    return Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]);
}
//# sourceMappingURL=vamp.js.map