import { log, mul } from "../graph/operators.js";
import { tensor } from "../runtime/session.js";
import { columns, forwardKl, logOracle, logPriorInput, logStopTime, reverseKl, stageOne, uniformLoss } from "./objective.js";
import { cosine } from "./schedule.js";
/** Stage I: the layers and heads, with the oracle's own weights over the exits and a flat prior. */
export function stageOneOf(family, losses, config, batches) {
    const exits = losses.length;
    const { beta } = config;
    const table = columns(losses);
    const flat = tensor(new Float32Array(exits), [exits]);
    return {
        name: 'stage-1',
        loss: beta === 'uniform' ? uniformLoss(table) : stageOne(table, beta, logPriorInput(exits)),
        learn: learnt(family, 'model'),
        rate: cosine(config.rate),
        steps: config.steps,
        ...(config.minutes !== undefined && { minutes: config.minutes }),
        ...(config.adam && { adam: config.adam }),
        batch: () => ({ ...batches.next(), 'log-prior': flat }),
    };
}
/**
 * Stage II: the policy imitates the oracle, whose prior charges for compute: q*(t) ∝ exp(−(dB_t + λ c_t)/β), with
 * dB_t the error at exit t in decibels and c_t the share of the path's compute that it takes.
 *
 * @param errors squared errors per sample at every exit, each [N]
 * @param costs c_t, one for each exit, the last 1
 */
export function stageTwoOf(family, errors, { logits }, costs, { steps, rate, beta, lambda, divergence }, batches) {
    const target = logOracle(columns(errors.map(decibels)), beta, logPriorInput(errors.length));
    const logQ = logStopTime(logits);
    const prior = tensor(Float32Array.from(costs, (cost) => (-lambda * cost) / beta), [costs.length]);
    return {
        name: 'stage-2',
        loss: divergence === 'forward' ? forwardKl(target, logQ) : reverseKl(target, logQ),
        learn: learnt(family, 'policy'),
        rate: cosine(rate),
        steps,
        batch: () => ({ ...batches.next(), 'log-prior': prior }),
    };
}
/** 10 log₁₀ of a squared error. */
export const decibels = (error) => mul(log(error), 10 / Math.LN10);
function learnt(family, role) {
    return new Map([...family.parameters].filter(([, p]) => p.role === role).map(([name, { value }]) => [name, value]));
}
//# sourceMappingURL=stages.js.map