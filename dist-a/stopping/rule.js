/** The stop rule: one comparison, π_t > τ_t, and the thresholds that make every rule of it. */
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import { Problem } from "../errors.js";
import { mix } from "../util/mix.js";
/**
 * Checks the parameters against the model they are meant for, and draws a seed where the rule needs one and none is given.
 * @throws Problem `bad-parameter`, naming what would be allowed
 */
export function resolveStopping(parameters, model, drawSeed) {
    const { depth, minDepth, maxDepth, threshold, seed } = parameters;
    const rule = parameters.rule ?? (depth === undefined ? 'threshold' : 'fixed');
    const refuse = (detail) => {
        throw new Problem('bad-parameter', detail);
    };
    if (rule === 'fixed') {
        if (depth === undefined)
            refuse(`rule=fixed needs depth, one of the exits ${list(model.exits)}.`);
        else if (!model.exits.includes(depth))
            refuse(`depth=${depth} is not an exit of this model; its exits are ${list(model.exits)}.`);
        if (minDepth !== undefined || maxDepth !== undefined)
            refuse('min_depth and max_depth have no meaning with rule=fixed; leave them out.');
    }
    else if (depth !== undefined)
        refuse(`depth goes with rule=fixed, not with rule=${rule}.`);
    if (threshold !== undefined && rule !== 'threshold')
        refuse(`threshold goes with rule=threshold, not with rule=${rule}.`);
    if (seed !== undefined && rule !== 'sample')
        refuse(`seed goes with rule=sample, not with rule=${rule}.`);
    if (minDepth !== undefined && minDepth > model.depth)
        refuse(`min_depth=${minDepth} is beyond the model's depth ${model.depth}.`);
    const first = model.exits[0];
    if (maxDepth !== undefined && maxDepth < first)
        refuse(`max_depth=${maxDepth} is before the first exit, ${first}.`);
    if (!model.exits.some((exit) => exit >= (minDepth ?? 1) && exit <= (maxDepth ?? model.depth))) {
        refuse(`No exit lies from min_depth=${minDepth} to max_depth=${maxDepth}; the exits are ${list(model.exits)}.`);
    }
    return rule === 'sample' ? { ...parameters, rule, seed: seed ?? drawSeed() } : { ...parameters, rule };
}
/** The rule for the sample with this index in its request. */
export function stopRule(parameters, model, index) {
    const { exits } = model;
    const never = Number.POSITIVE_INFINITY;
    if (parameters.rule === 'fixed') {
        return { thresholds: exits.map(() => never), last: exits.indexOf(parameters.depth), lastReason: 'fixed', shedFrom: never };
    }
    const { minDepth = 1, maxDepth = model.depth } = parameters;
    const uniform = parameters.rule === 'sample' ? uniforms(parameters.seed, index) : undefined;
    const threshold = parameters.threshold ?? model.threshold ?? 0.5;
    const thresholds = exits.map((exit) => {
        const tau = uniform ? uniform() : threshold;
        return exit < minDepth ? never : tau;
    });
    return {
        thresholds,
        last: exits.findLastIndex((exit) => exit <= maxDepth),
        lastReason: 'max_depth',
        shedFrom: exits.findIndex((exit) => exit >= minDepth),
    };
}
/**
 * Whether the sample stops at exit `at`, and why.
 * @param cap the exit from which a loaded service ends samples; Infinity while it is not
 */
export function stops(rule, at, pi, cap = Number.POSITIVE_INFINITY) {
    if (pi > rule.thresholds[at])
        return 'policy';
    if (at >= rule.last)
        return rule.lastReason;
    return at >= cap && at >= rule.shedFrom ? 'load' : undefined;
}
/** Uniform numbers in [0,1) that depend on the seed and the sample's index alone. */
function uniforms(seed, index) {
    const key = mix(seed) ^ mix(index + 0x9e3779b9);
    const generator = xoroshiro128plusFromState([1, 2, 3, 4].map((word) => mix(key + word)));
    return () => (generator.next() >>> 0) / 2 ** 32;
}
const list = (numbers) => numbers.join(', ');
//# sourceMappingURL=rule.js.map