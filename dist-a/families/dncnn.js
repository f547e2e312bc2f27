/**
 * DnCNN-stop: a path of convolutions that estimates the noise in an image, with a read-out at every exit.
 * This form works at half resolution (Zhang et al. 2018, FFDNet) and has no additive term anywhere on the path from
 * image to estimate (Mohan et al. 2020), so that it extends to noise levels it never saw.
 */
import { linear } from "../graph/functions.js";
import { add, conv, depthToSpace, log, reduceMean, relu, reshape, spaceToDepth, sub } from "../graph/operators.js";
import { constant, normal, Parameters } from "./family.js";
export const defaultDncnn = { features: 64, depth: 12, exits: [4, 6, 8, 12], hidden: 16 };
/** image [N,C,2h,2w] in [0,1] → denoised [N,C,2h,2w]; the state is the features [N,F,h,w]. */
export function defineDncnn({ channels, features, depth, exits, hidden }) {
    const parameters = new Parameters();
    const inner = 4 * channels;
    const he = (fanIn) => Math.sqrt(2 / (9 * fanIn));
    const kernel = (name, to, from, gain) => parameters.define(name, [to, from, 3, 3], normal(to * from * 9, gain * he(from)));
    const layers = Array.from({ length: depth }, (_, i) => i === 0 ? kernel('layer-1', features, inner, 1) : kernel(`layer-${i + 1}`, features, features, 0.4));
    const heads = new Map(exits.map((t) => [t, kernel(`head-${t}`, inner, features, 0.1)]));
    const policies = new Map(exits.slice(0, -1).map((t) => [t, definePolicy(parameters, t, features, hidden)]));
    return {
        name: 'dncnn',
        depth,
        exits,
        inputs: { image: ['N', channels, '2*h', '2*w'] },
        outputs: ['denoised'],
        parameters: parameters.all,
        layer(t, { image, features: state }) {
            const w = layers[t - 1];
            return { features: relu(t === 1 ? conv(spaceToDepth(image, 2), w) : add(conv(state, w), state)) };
        },
        policy: (t, { features: state }) => policies.get(t)(state),
        decode(t, { image, features: state }) {
            return { denoised: sub(image, depthToSpace(conv(state, heads.get(t)), 2)) };
        },
    };
}
/** A small perceptron on the logarithm of each feature's mean over the image. */
function definePolicy(parameters, t, features, hidden) {
    const define = (name, shape, deviation) => {
        const length = shape.reduce((a, b) => a * b, 1);
        return parameters.define(`policy-${t}-${name}`, shape, deviation > 0 ? normal(length, deviation) : constant(length, 0), 'policy');
    };
    const w1 = define('w1', [features, hidden], Math.sqrt(1 / features));
    const b1 = define('b1', [hidden], 0);
    const w2 = define('w2', [hidden, 1], Math.sqrt(1 / hidden));
    const b2 = define('b2', [1], 0);
    return (state) => {
        const pooled = log(add(reduceMean(state, [2, 3]), 1e-3));
        return reshape(linear(relu(linear(add(pooled, 3), w1, b1)), w2, b2), [state.shape[0]]);
    };
}
//# sourceMappingURL=dncnn.js.map