import { metricFor } from "./evaluate.js";
/**
 * @param tolerance the quality that may be given up in the mean over the conditions, dB; no single condition may give up
 *   more than twice as much
 */
export async function calibrate(engine, manifest, conditions, tolerance, onSample = () => undefined) {
    const metric = metricFor(manifest.task);
    const times = manifest.exits.map(() => []);
    const traced = [];
    for (const { cases } of conditions) {
        const list = [];
        for (const { sample, truth } of cases) {
            const parts = [];
            let pi = [];
            for (const [i, depth] of manifest.exits.entries()) {
                const { samples, timing } = await engine.run(manifest.name, [sample], { rule: 'fixed', depth });
                parts.push(metric.sample(samples[0].outputs[manifest.outputs[0].name].data, truth));
                times[i].push(timing.computeMs);
                pi = samples[0].pi;
            }
            list.push({ pi, parts });
            onSample();
        }
        traced.push(list);
    }
    const ms = times.map(median);
    const quality = (pick) => traced.map((list) => metric.total(list.map((sample) => sample.parts[pick(sample)])));
    const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
    return {
        threshold: choose(traced, ms, metric, tolerance, quality),
        exits: manifest.exits.map((depth, i) => ({
            depth,
            quality: Number(mean(quality(() => i)).toFixed(3)),
            ms_per_sample: Number(ms[i].toFixed(3)),
        })),
    };
}
function choose(traced, ms, metric, tolerance, quality) {
    const last = ms.length - 1;
    const full = quality(() => last);
    let best = { threshold: 1, time: Number.POSITIVE_INFINITY };
    for (let step = 1; step < 200; step++) {
        const threshold = step / 200;
        const stopAt = ({ pi }) => {
            const at = pi.findIndex((value) => value > threshold);
            return at < 0 ? last : at;
        };
        const losses = quality(stopAt).map((value, i) => metric.loss(full[i], value));
        const fits = losses.reduce((a, b) => a + b, 0) / losses.length <= tolerance && losses.every((loss) => loss <= 2 * tolerance);
        const time = traced.flat().reduce((sum, sample) => sum + ms[stopAt(sample)], 0);
        if (fits && time < best.time)
            best = { threshold, time };
    }
    return best.threshold;
}
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
//# sourceMappingURL=calibrate.js.map