import { nmse, psnr } from "./quality.js";
export const metricFor = (task) => (task === 'denoise' ? psnr : nmse);
/**
 * One row for each condition, and for NMSE one over all of them. Every sample is a request of its own, once with the given rule and once at full depth,
 * in turn, so that the two times are comparable.
 */
export async function evaluate(engine, manifest, conditions, stopping, onSample = () => undefined) {
    const metric = metricFor(manifest.task);
    const seen = [];
    for (const { label, cases } of conditions) {
        const adaptive = [];
        const full = [];
        for (const { sample, truth } of cases) {
            adaptive.push(figure(await engine.run(manifest.name, [sample], stopping), truth, manifest, metric));
            full.push(figure(await engine.run(manifest.name, [sample], { rule: 'fixed', depth: manifest.depth }), truth, manifest, metric));
            onSample();
        }
        seen.push({ label, adaptive, full });
    }
    // A ratio of sums over all conditions is a figure of its own, not the mean of theirs.
    if (metric === nmse && seen.length > 1) {
        const mixed = Object.fromEntries(Object.keys(seen[0].label).map((key) => [key, 'mixed']));
        seen.push({ label: mixed, adaptive: seen.flatMap(({ adaptive }) => adaptive), full: seen.flatMap(({ full }) => full) });
    }
    return seen.map(({ label, adaptive, full }) => ({
        condition: { ...label },
        metric: metric.name,
        quality: round(metric.total(adaptive.map(({ part }) => part))),
        full_depth_quality: round(metric.total(full.map(({ part }) => part))),
        mean_depth: round(mean(adaptive.map(({ depth }) => depth))),
        max_depth: manifest.depth,
        ms_per_sample: round(mean(adaptive.map(({ ms }) => ms))),
        full_depth_ms_per_sample: round(mean(full.map(({ ms }) => ms))),
        n: adaptive.length,
    }));
}
function figure({ samples, timing }, truth, { outputs }, metric) {
    const { depth, outputs: values } = samples[0];
    return { part: metric.sample(values[outputs[0].name].data, truth), depth, ms: timing.computeMs };
}
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const round = (value) => Number(value.toFixed(3));
//# sourceMappingURL=evaluate.js.map