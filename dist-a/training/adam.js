import { add, div, input, min, mul, reduceSum, sqrt, sub } from "../graph/operators.js";
import { square } from "../graph/functions.js";
import { scalar } from "../graph/operators.js";
export const defaultAdam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clipNorm: 1 };
/**
 * One step of Adam (Kingma & Ba 2015) with decoupled decay, as a graph. Its own inputs are `rate`, `correction-1` and
 * `correction-2` (the bias corrections 1 − βᵢᵗ), and the moments `m:NAME`, `v:NAME`.
 */
export function adamStep(parameters, gradients, { beta1, beta2, epsilon, weightDecay, clipNorm }) {
    const [rate, correction1, correction2] = ['rate', 'correction-1', 'correction-2'].map((name) => input(name, []));
    const squares = [...gradients.values()].map((g) => reduceSum(square(g)));
    const norm = sqrt(squares.reduce(add));
    const scale = min(scalar(1), div(clipNorm, add(norm, 1e-12)));
    const next = {};
    for (const [name, p] of parameters) {
        const g = mul(gradients.get(name), scale);
        const m = add(mul(input(`m:${name}`, p.shape), beta1), mul(g, 1 - beta1));
        const v = add(mul(input(`v:${name}`, p.shape), beta2), mul(square(g), 1 - beta2));
        const direction = div(div(m, correction1), add(sqrt(div(v, correction2)), epsilon));
        next[name] = sub(p, mul(add(direction, mul(p, weightDecay)), rate));
        next[`m:${name}`] = m;
        next[`v:${name}`] = v;
    }
    return { next, norm };
}
//# sourceMappingURL=adam.js.map