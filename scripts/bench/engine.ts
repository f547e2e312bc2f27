/** Overheads: the engine against one graph, the published network, tiles, HTTP and codecs. */
import type { Bundle } from '../../src/bundle/read.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { Array32, Sample } from '../../src/engine/types.ts';
import { startEngine } from '../../src/evaluation/measure.ts';
import { matrixOf } from '../../src/tasks/sparse-recovery/matrix-file.ts';
import { defaultPublishedDncnn, definePublishedDncnn } from '../../src/families/published-dncnn.ts';
import { toModel } from '../../src/graph/model.ts';
import { Session, tensor } from '../../src/runtime/session.ts';
import { recipeFor } from '../../src/tasks/recipes.ts';
import { readWeights } from '../../src/training/from-bundle.ts';
import { readFamily } from './family.ts';
import { unroll } from '../../src/training/unroll.ts';
import { initialWeights, toConstants, type Weights } from '../../src/training/weights.ts';
import { leavesOf, type Family } from '../../src/families/family.ts';
import { Random } from '../../src/data/random.ts';
import { defaultTiles } from '../../src/tasks/denoise/tiles.ts';
import type { Planes } from '../../src/codecs/images.ts';
import {
  cleanImages,
  defaultBundle,
  mixedMeasurements,
  noisySquare,
  toPng,
  perform,
} from './material.ts';
import { alternate, fewer, round, type Bench, type BenchOptions, type Row } from './row.ts';
import { startService } from './service.ts';
import { median } from '../../src/util/median.ts';

/** As in the engine's workers by default. */
const THREADS = 1;

export const engine: Bench = {
  name: 'engine',
  about:
    'Full depth through the engine against one graph of the same layers, and against the published network; tiles; HTTP and codecs.',
  async run(options) {
    const { modelsDir, quick } = options;
    const recovery = await defaultBundle(modelsDir, 'sparse-recovery');
    const denoise = await defaultBundle(modelsDir, 'denoise');
    const data = mixedMeasurements(await matrixOf(recovery.manifest, modelsDir), 1);
    const clean = (await cleanImages(options))[0]!;
    const square = asArray(noisySquare(clean, 256, 35));
    const engines = await startEngine(modelsDir, [recovery.manifest.name, denoise.manifest.name]);
    try {
      return [
        await againstGraph(
          engines,
          recovery,
          { measurements: { data, dims: [data.length] } },
          fewer(100, quick),
          '≤ 1.25',
        ),
        await againstGraph(engines, denoise, { image: square }, fewer(12, quick), '≤ 1.05'),
        await againstPublished(engines, denoise, square, fewer(6, quick)),
        await tiles(engines, denoise, clean, fewer(3, quick)),
        await serving(options),
      ];
    } finally {
      await engines.close();
    }
  },
};

const asArray = ({ data, channels, height, width }: ReturnType<typeof noisySquare>): Array32 => ({
  data,
  dims: [channels, height, width],
});

const fullDepth =
  ({ manifest: { name, depth } }: Bundle, running: Engine, sample: Sample) =>
  () =>
    running.run(name, [sample], { rule: 'fixed', depth });

/** One graph of all layers, whose output is the final read-out, without policies: what one would run without stopping. */
async function wholeGraph(family: Family, weights: Weights): Promise<Session> {
  const { outputs } = unroll(family, leavesOf(family.inputs));
  const result = outputs.at(-1)![family.outputs[0]!]!;
  const model = toModel({ outputs: { result }, weights: toConstants(weights) });
  return Session.load(model, { threads: THREADS });
}

async function againstGraph(
  running: Engine,
  bundle: Bundle,
  sample: Sample,
  rounds: number,
  target: string,
): Promise<Row> {
  const family = await readFamily(recipeFor(bundle.manifest.task), bundle.directory);
  const trained = await readWeights(bundle.directory);
  // Constants are not among the stored weights; a fresh family computes them.
  const weights = new Map([...initialWeights(family, new Random(1).normal), ...trained]);
  const session = await wholeGraph(family, weights);
  const feeds = Object.fromEntries(
    Object.entries(sample).map(([name, { data, dims }]) => [name, tensor(data, [1, ...dims])]),
  );
  const time = await alternate(
    fullDepth(bundle, running, sample),
    () => session.run(feeds),
    rounds,
  );
  await session.release();
  const what = `${bundle.manifest.name}: full depth through the engine over one graph of all layers, without policies`;
  return { benchmark: 'engine', what, value: round(time.first / time.second), unit: '×', target };
}

/** The published network: 20 convolutions at full resolution. Random weights, since only time is measured. */
async function againstPublished(
  running: Engine,
  bundle: Bundle,
  image: Array32,
  rounds: number,
): Promise<Row> {
  const { family } = definePublishedDncnn({ ...defaultPublishedDncnn, channels: 1 });
  const session = await wholeGraph(family, initialWeights(family, new Random(1).normal));
  const time = await alternate(
    fullDepth(bundle, running, { image }),
    () => session.run({ image: tensor(image.data, [1, ...image.dims]) }),
    rounds,
  );
  await session.release();
  const what = `${bundle.manifest.name}: published network of 20 convolutions over ours at full depth, 256×256`;
  return {
    benchmark: 'engine',
    what,
    value: round(time.second / time.first),
    unit: '×',
    target: '≥ 4',
  };
}

/** Compute time of a large image in tiles against the same image as one sample. */
async function tiles(
  running: Engine,
  { manifest }: Bundle,
  clean: Planes,
  rounds: number,
): Promise<Row> {
  const side = 3 * defaultTiles.size;
  const image = noisySquare(clean, side, 35);
  const stopping = { rule: 'fixed', depth: manifest.depth } as const;
  const body = await toPng(image);
  const tiled: number[] = [];
  const untiled: number[] = [];
  for (let i = 0; i < rounds; i++) {
    tiled.push(
      (await perform(running, 'denoise', 'image/png', body, stopping)).summary.timing.computeMs,
    );
    untiled.push(
      (await running.run(manifest.name, [{ image: asArray(image) }], stopping)).timing.computeMs,
    );
  }
  const what = `${side}×${side} in tiles of ${defaultTiles.size} over the same image untiled, full depth`;
  return {
    benchmark: 'engine',
    what,
    value: round(median(tiled) / median(untiled)),
    unit: '×',
    target: '≤ 1.15',
  };
}

/** Share of an HTTP request that is not compute: parsing, decoding, encoding, messages. */
async function serving(options: BenchOptions): Promise<Row> {
  const clean = (await cleanImages(options))[0]!;
  const body = Buffer.from(await toPng(noisySquare(clean, 512, 35)));
  const service = await startService(options.modelsDir, { WORKERS: '1' });
  const shares: number[] = [];
  for (let i = 0; i < 8; i++) {
    const begin = performance.now();
    const answer = await fetch(`${service.url}/v1/denoise`, {
      method: 'POST',
      headers: { 'content-type': 'image/png' },
      body,
    });
    await answer.arrayBuffer();
    const whole = performance.now() - begin;
    const compute = Number(
      /compute;dur=([\d.]+)/.exec(answer.headers.get('server-timing') ?? '')?.[1],
    );
    if (i > 0) shares.push(1 - compute / whole);
  }
  await service.close();
  const what = 'HTTP and codecs in a 512×512 denoising request';
  return {
    benchmark: 'engine',
    what,
    value: round(100 * median(shares)),
    unit: '%',
    target: '≤ 15',
  };
}
