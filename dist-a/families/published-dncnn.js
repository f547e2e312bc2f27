/**
 * DnCNN-stop as published, kept for comparison: full resolution, batch normalisation, a read-out and a policy of its own
 * after every layer. Image [N,C,h,w] in [0,1] → denoised [N,C,h,w].
 */
import { batchNorm, linear, square } from "../graph/functions.js";
import { add, concat, conv, reduceMean, relu, reshape, sub } from "../graph/operators.js";
import { constant, normal, Parameters } from "./family.js";
export const defaultPublishedDncnn = { features: 64, depth: 19, hidden: 16 };
const EPSILON = 1e-5;
export function definePublishedDncnn({ channels, features, depth, hidden }) {
    const parameters = new Parameters();
    const he = (fanIn) => Math.sqrt(2 / (9 * fanIn));
    const layers = Array.from({ length: depth }, (_, i) => {
        const from = i === 0 ? channels : features;
        const size = features * from * 9;
        const define = (name, shape, value, role) => parameters.define(`${name}-${i + 1}`, shape, constant(features, value), role);
        return {
            learnt: parameters.define(`layer-${i + 1}`, [features, from, 3, 3], normal(size, he(from))),
            // The first layer has no normalisation, and a bias that is learnt.
            bias: define('bias', [features, 1, 1], 0, i === 0 ? 'model' : 'derived'),
            ...(i > 0 && {
                kernel: parameters.define(`kernel-${i + 1}`, [features, from, 3, 3], constant(size, 0), 'derived'),
                scale: define('scale', [features, 1, 1], 1, 'model'),
                shift: define('shift', [features, 1, 1], 0, 'model'),
            }),
        };
    });
    const heads = layers.map((_, i) => parameters.define(`head-${i + 1}`, [channels, features, 3, 3], normal(channels * features * 9, 0.1 * he(features))));
    const policies = layers.slice(0, -1).map((_, i) => definePolicy(parameters, i + 1, channels, hidden));
    const decode = (t, { image, features: state }) => ({ denoised: sub(image, conv(state, heads[t - 1])) });
    const common = {
        name: 'dncnn-published',
        depth,
        exits: layers.map((_, i) => i + 1),
        inputs: { image: ['N', channels, 'h', 'w'] },
        outputs: ['denoised'],
        parameters: parameters.all,
        policy: (t, read) => policies[t - 1](read.image, decode(t, read).denoised),
        decode,
    };
    const before = ({ image, features: state }) => state ?? image;
    return {
        family: {
            ...common,
            layer(t, read) {
                const { kernel, learnt, bias } = layers[t - 1];
                return { features: relu(add(conv(before(read), kernel ?? learnt), bias)) };
            },
        },
        training: {
            ...common,
            layer(t, read) {
                const { learnt, bias, scale, shift } = layers[t - 1];
                const y = conv(before(read), learnt);
                return { features: relu(scale && shift ? batchNorm(y, scale, shift, EPSILON) : add(y, bias)) };
            },
        },
        moments(t, read) {
            const y = conv(before(read), layers[t - 1].learnt);
            const mean = reduceMean(y, [0, 2, 3], true);
            const variance = reduceMean(square(sub(y, mean)), [0, 2, 3]);
            return { mean: reshape(mean, [features]), variance };
        },
        fold(weights, moments) {
            for (const [t, { mean, variance }] of moments) {
                const [learnt, scale, shift] = ['layer', 'scale', 'shift'].map((name) => weights.get(`${name}-${t}`));
                const gain = scale.map((value, c) => value / Math.sqrt(variance[c] + EPSILON));
                const size = learnt.length / features;
                weights.set(`kernel-${t}`, learnt.map((value, i) => value * gain[Math.floor(i / size)]));
                weights.set(`bias-${t}`, shift.map((value, c) => value - mean[c] * gain[c]));
            }
        },
    };
}
/** Two convolutions on [noisy, estimate, difference], then the mean over the image. */
function definePolicy(parameters, t, channels, hidden) {
    const define = (name, shape, fanIn) => {
        const length = shape.reduce((a, b) => a * b, 1);
        const initial = fanIn > 0 ? normal(length, Math.sqrt(2 / fanIn)) : constant(length, 0);
        return parameters.define(`policy-${t}-${name}`, shape, initial, 'policy');
    };
    const c1 = define('c1', [hidden, 3 * channels, 3, 3], 27 * channels);
    const b1 = define('b1', [hidden, 1, 1], 0);
    const c2 = define('c2', [hidden, hidden, 3, 3], 9 * hidden);
    const b2 = define('b2', [hidden, 1, 1], 0);
    const w = define('w', [hidden, 1], hidden);
    const b = define('b', [1], 0);
    return (image, estimate) => {
        const seen = concat([image, estimate, sub(image, estimate)], 1);
        const pooled = reduceMean(relu(add(conv(relu(add(conv(seen, c1), b1)), c2), b2)), [2, 3]);
        return reshape(linear(pooled, w, b), [image.shape[0]]);
    };
}
//# sourceMappingURL=published-dncnn.js.map