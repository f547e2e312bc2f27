import { matrixOf, startEngine } from "../evaluation/measure.js";
import { defaultPublishedDncnn, definePublishedDncnn } from "../families/published-dncnn.js";
import { toModel } from "../graph/model.js";
import { input, sigmoid } from "../graph/operators.js";
import { Session, tensor } from "../runtime/session.js";
import { readFamily, readWeights } from "../training/from-bundle.js";
import { unroll } from "../training/unroll.js";
import { initialWeights } from "../training/weights.js";
import { Random } from "../data/random.js";
import { availableParallelism } from 'node:os';
import { defaultTiles } from "../tasks/tiles.js";
import { cleanImages, defaultBundle, mixedMeasurements, noisySquare, toPng } from "./material.js";
import { inTurn, median, round } from "./row.js";
import { startService } from "./service.js";
/** As the engine's one worker has them. */
const THREADS = Math.min(availableParallelism(), 2);
export const engine = {
    name: 'engine',
    about: 'Full depth through the engine against one graph of the same layers, and against the published network; tiles; HTTP and codecs.',
    async run(options) {
        const { modelsDir } = options;
        const recovery = await defaultBundle(modelsDir, 'sparse-recovery');
        const denoise = await defaultBundle(modelsDir, 'denoise');
        const data = mixedMeasurements(await matrixOf(recovery.manifest, modelsDir), 1);
        const clean = (await cleanImages(options))[0];
        const square = asArray(noisySquare(clean, 256, 35));
        const engines = await startEngine(modelsDir, [recovery.manifest.name, denoise.manifest.name]);
        try {
            return [
                await againstGraph(engines, recovery, { measurements: { data, dims: [data.length] } }, 100, '≤ 1.25'),
                await againstGraph(engines, denoise, { image: square }, 12, '≤ 1.1'),
                await againstPublished(engines, denoise, square),
                await tiles(options),
                await serving(options),
            ];
        }
        finally {
            await engines.close();
        }
    },
};
const asArray = ({ data, channels, height, width }) => ({ data, dims: [channels, height, width] });
const fullDepth = ({ manifest: { name, depth } }, running, sample) => () => running.run(name, [sample], { rule: 'fixed', depth });
/** The whole path with all policies, read out at the end. */
async function wholeGraph(family, weights, policies) {
    const inputs = Object.fromEntries(Object.entries(family.inputs).map(([name, shape]) => [name, input(name, shape)]));
    const { outputs, logits } = unroll(family, inputs);
    const wanted = { result: outputs.at(-1)[family.outputs[0]] };
    if (policies)
        logits.forEach((logit, i) => (wanted[`pi-${i}`] = sigmoid(logit)));
    const known = new Map([...weights].map(([name, data]) => [name, { data }]));
    return Session.load(toModel({ outputs: wanted, weights: known }), { threads: THREADS });
}
async function againstGraph(running, bundle, sample, rounds, reach) {
    const family = await readFamily(bundle.directory);
    const learnt = await readWeights(bundle.directory);
    // The constants lie outside the graphs; a fresh family computes them again.
    const weights = new Map([...initialWeights(family, new Random(1).normal), ...learnt]);
    const session = await wholeGraph(family, weights, true);
    const feeds = Object.fromEntries(Object.entries(sample).map(([name, { data, dims }]) => [name, tensor(data, [1, ...dims])]));
    const time = await inTurn(fullDepth(bundle, running, sample), () => session.run(feeds), rounds);
    await session.release();
    const what = `${bundle.manifest.name}: full depth through the engine over one graph of all layers and policies`;
    return { benchmark: 'engine', what, value: round(time.first / time.second), unit: '×', reach };
}
/** 20 convolutions at full resolution, as published; the weights do not matter for the time. */
async function againstPublished(running, bundle, image) {
    const { family } = definePublishedDncnn({ ...defaultPublishedDncnn, channels: 1 });
    const session = await wholeGraph(family, initialWeights(family, new Random(1).normal), false);
    const time = await inTurn(fullDepth(bundle, running, { image }), () => session.run({ image: tensor(image.data, [1, ...image.dims]) }), 6);
    await session.release();
    const what = `${bundle.manifest.name}: published network of 20 convolutions over ours at full depth, 256×256`;
    return { benchmark: 'engine', what, value: round(time.second / time.first), unit: '×', reach: '≥ 4' };
}
/** Compute of a large image for each of its pixels, against that of an image that is one tile. */
async function tiles(options) {
    const { manifest } = await defaultBundle(options.modelsDir, 'denoise');
    const clean = (await cleanImages(options))[0];
    const sizes = { one: defaultTiles.size, many: 3 * defaultTiles.size };
    const png = { one: await toPng(noisySquare(clean, sizes.one, 35)), many: await toPng(noisySquare(clean, sizes.many, 35)) };
    const running = await startEngine(options.modelsDir, [manifest.name]);
    const compute = { one: [], many: [] };
    for (let i = 0; i < 3; i++) {
        for (const side of ['one', 'many']) {
            const { summary } = await running.perform({
                task: 'denoise',
                contentType: 'image/png',
                body: png[side],
                stopping: { rule: 'fixed', depth: manifest.depth },
            });
            compute[side].push(summary.timing.computeMs / sizes[side] ** 2);
        }
    }
    await running.close();
    const what = `${sizes.many}×${sizes.many} in tiles over ${sizes.one}×${sizes.one} untiled, time of a pixel`;
    return { benchmark: 'engine', what, value: round(median(compute.many) / median(compute.one)), unit: '×', reach: '≤ 1.15' };
}
/** What is not compute in a request over HTTP: parsing, decoding, encoding, messages. */
async function serving(options) {
    const clean = (await cleanImages(options))[0];
    const body = Buffer.from(await toPng(noisySquare(clean, 512, 35)));
    const service = await startService(options.modelsDir, { WORKERS: '1', INTRA_OP_THREADS: String(THREADS) });
    const shares = [];
    for (let i = 0; i < 8; i++) {
        const begin = performance.now();
        const answer = await fetch(`${service.url}/v1/denoise`, { method: 'POST', headers: { 'content-type': 'image/png' }, body });
        await answer.arrayBuffer();
        const whole = performance.now() - begin;
        const compute = Number(/compute;dur=([\d.]+)/.exec(answer.headers.get('server-timing') ?? '')?.[1]);
        if (i > 0)
            shares.push(1 - compute / whole);
    }
    await service.close();
    const what = 'HTTP and codecs in a 512×512 denoising request';
    return { benchmark: 'engine', what, value: round(100 * median(shares)), unit: '%', reach: '≤ 15' };
}
//# sourceMappingURL=engine.js.map