/** The objectives of both stages, as graphs. Losses are [N,E], one column an exit. */
import { logSigmoid, logSoftmax, logSumExp } from "../graph/functions.js";
import { add, concat, div, exp, input, mul, neg, reduceMean, reduceSum, reshape, stopGradient, sub } from "../graph/operators.js";
/** Columns [N] side by side: [N,E]. */
export const columns = (values) => concat(values.map((value) => reshape(value, [value.shape[0], 1])), 1);
/** log p(t) + log p(y|t,x)/β, up to a constant, for the prior p(t) ∝ exp(−λ c_t): [N,E]. */
function logJoint(losses, beta, logPrior) {
    return add(div(neg(losses), beta), logPrior);
}
/** Log prior over the exits, [E]: an input of the training step, so that its price λ can change while training runs. */
export const logPriorInput = (exits) => input('log-prior', [exits]);
/** Stage I: −β log Σ_t p(t) exp(−ℓ_t/β), the negative log marginal likelihood for β = 1, averaged over the batch. */
export function stageOne(losses, beta, logPrior) {
    return mul(reduceMean(logSumExp(logJoint(losses, beta, logPrior), 1)), -beta);
}
/** Every layer counts the same: what Stage I is compared with. */
export const uniformLoss = (losses) => reduceMean(losses);
/** log q*(t|y,x), [N,E]; no gradient flows into the losses. */
export function logOracle(losses, beta, logPrior) {
    return stopGradient(logSoftmax(logJoint(losses, beta, logPrior), 1));
}
/** log q(t) from the logits of π: log π_t + Σ_{s<t} log (1 − π_s), with π_T = 1: [N,E]. */
export function logStopTime(logits) {
    const result = [];
    let remaining;
    for (const logit of logits) {
        const stop = logSigmoid(logit);
        result.push(remaining ? add(remaining, stop) : stop);
        const go = logSigmoid(neg(logit));
        remaining = remaining ? add(remaining, go) : go;
    }
    return columns([...result, remaining]);
}
/** Stage II, forward: −Σ_t q*(t) log q(t), averaged over the batch. */
export function forwardKl(logTarget, logQ) {
    return neg(reduceMean(reduceSum(mul(exp(logTarget), logQ), [1])));
}
/** Stage II, reverse: Σ_t q(t) (log q(t) − log q*(t)), the maximum-entropy reinforcement-learning objective. */
export function reverseKl(logTarget, logQ) {
    return reduceMean(reduceSum(mul(exp(logQ), sub(logQ, logTarget)), [1]));
}
//# sourceMappingURL=objective.js.map