/** Width and depth of the denoising network, by equal training. */
import { basename, join } from 'node:path';
import { crop } from '../../../src/codecs/crop.ts';
import type { Planes } from '../../../src/codecs/images.ts';
import { addNoise, readImageFolder } from '../../../src/data/images.ts';
import { Random } from '../../../src/data/random.ts';
import { psnr } from '../../../src/evaluation/metrics.ts';
import { toModel } from '../../../src/graph/model.ts';
import { input } from '../../../src/graph/operators.ts';
import { floats, Session, tensor } from '../../../src/runtime/session.ts';
import { partOf } from '../../../src/tasks/denoise/photographs.ts';
import { denoiseDefaults, type DenoiseConfig } from '../../../src/tasks/denoise/config.ts';
import { denoiseFamily } from '../../../src/tasks/denoise/stages.ts';
import { denoise } from '../../../src/tasks/learning.ts';
import { WEIGHTS } from '../../../src/training/export.ts';
import { decodeTensors } from '../../../src/training/safetensors.ts';
import { train } from '../../../src/training/train.ts';
import { unroll } from '../../../src/training/unroll.ts';
import { toConstants, type Weights } from '../../../src/training/weights.ts';
import { decibels } from '../numbers.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { SEED } from './setting.ts';

export const shapes: Part = {
  name: 'shapes',
  about: 'Width and depth of the network by equal training: PSNR and time at every exit.',
  needs: 'minutes',
  run,
};

interface Shape {
  readonly features: number;
  readonly depth: number;
  readonly exits: readonly number[];
  /** CPU time of a training step of the recipe, ms, the shapes measured in turn: equal training is so many steps. */
  readonly stepMs: number;
}

const SHAPES: readonly Shape[] = [
  { features: 32, depth: 16, exits: [4, 8, 12, 16], stepMs: 190 },
  { features: 48, depth: 14, exits: [4, 7, 14], stepMs: 305 },
  { features: 64, depth: 15, exits: [4, 8, 15], stepMs: 521 },
];

const SIGMAS = [2, 5, 15, 25, 50, 75];
/** Every so many of the test images. */
const EVERY = 4;
/** Pixels of a side of the image that is timed, and how often it is. */
const SIDE = 512;
const REPEATS = 9;

async function run(options: ReproduceOptions): Promise<Section[]> {
  const { data, learn, minutes = 6, quick, onProgress } = options;
  if (data === undefined || learn === undefined)
    throw new Error(
      'shapes needs two folders of clean images: --data for tests, --learn to train.',
    );
  const { images } = await readImageFolder(
    learn,
    1,
    (file) => quick || partOf(file) === 'training',
  );
  const tests = (await readImageFolder(data, 1)).images.filter((_, i) => i % EVERY === 0);
  const { half } = denoiseDefaults;
  const rows: (string | number)[][] = [];
  for (const [i, shape] of SHAPES.entries()) {
    const name = `${shape.features} × ${shape.depth}`;
    const config = configOf(shape, quick ? 2 : Math.round((minutes * 60_000) / shape.stepMs));
    const { steps } = config.stageOne;
    const weights = await weightsOf(config, images, options, (share) =>
      onProgress(name, (i + share) / SHAPES.length),
    );
    const quality = await qualityOf(config, weights, quick ? tests.slice(0, 1) : tests);
    const ms = await timeOf(config, weights, quick ? 1 : REPEATS);
    shape.exits.forEach((exit, e) => {
      const label = e === 0 ? `${name}, ${steps} steps` : '';
      rows.push([label, exit, ms[e]!.toFixed(0), ...quality[e]!.map(decibels)]);
    });
  }
  return [
    {
      heading: 'Shapes of the network',
      text:
        'Features × layers of the bias-free network at half resolution, gray. Training is equal in CPU time: ' +
        `${minutes} minutes of one thread at ${SHAPES.map(({ stepMs }) => stepMs).join(', ')} ms a step ` +
        `(${half.batch} patches of ${half.patch}×${half.patch}), ` +
        `each run from fresh weights, seed ${half.seed}, on the ${images.length} training images of ${basename(learn)}. PSNR, dB, ` +
        `mean over ${tests.length} images of ${basename(data)}, every ${EVERY}th, seed ${SEED}, noise not clipped. ` +
        `ms: CPU time in ONNX Runtime of the layers up to the exit and its read-out, float, ${SIDE}×${SIDE}, one thread, the least of ${REPEATS}.`,
      tables: [{ columns: ['', 'exit', 'ms', ...SIGMAS.map((sigma) => `σ ${sigma}`)], rows }],
    },
  ];
}

function configOf({ features, depth, exits }: Shape, steps: number): DenoiseConfig {
  const { half } = denoiseDefaults;
  return {
    ...half,
    channels: 1,
    features,
    depth,
    exits: [...exits],
    stageOne: { ...half.stageOne, steps },
    stageTwo: { ...half.stageTwo, steps: 0 },
  };
}

/** Trains, or goes on from the checkpoint where `resume` says so. */
async function weightsOf(
  config: DenoiseConfig,
  images: readonly Planes[],
  { resume = false }: ReproduceOptions,
  onProgress: (share: number) => void,
): Promise<Weights> {
  const { features, depth, stageOne } = config;
  const { lowered } = await train(denoise, config, images, {
    threads: 1,
    folder: join('checkpoints', 'shapes', `${features}x${depth}-${stageOne.steps}`),
    resume,
    checkpointSeconds: 60,
    onProgress: ({ progress }) => onProgress(progress),
  });
  return decodeTensors(Buffer.from(lowered.contents.get(WEIGHTS)!)).tensors;
}

/** The path up to the last of `exits`, with an output `exit-N` for each. */
function load(config: DenoiseConfig, weights: Weights, exits: readonly number[]): Promise<Session> {
  const family = { ...denoiseFamily(config), exits, depth: exits.at(-1)! };
  const { outputs } = unroll(family, { image: input('image', family.inputs.image!) });
  const model = toModel({
    outputs: Object.fromEntries(outputs.map(({ denoised }, i) => [`exit-${exits[i]}`, denoised!])),
    weights: toConstants(weights),
  });
  return Session.load(model, { threads: 1 });
}

/** PSNR, dB: a row for every exit, a column for every noise level. */
async function qualityOf(
  config: DenoiseConfig,
  weights: Weights,
  tests: readonly Planes[],
): Promise<number[][]> {
  const session = await load(config, weights, config.exits);
  const sums = config.exits.map(() => SIGMAS.map(() => 0));
  for (const [s, sigma] of SIGMAS.entries()) {
    const random = new Random(SEED + 1000 * sigma);
    for (const test of tests) {
      const { data, width, height } = crop(test, 0, 0, test.width & ~1, test.height & ~1);
      const noisy = new Float32Array(data.length);
      addNoise(data, noisy, sigma, false, random);
      const found = await session.run({ image: tensor(noisy, [1, 1, height, width]) });
      config.exits.forEach((exit, e) => {
        const [value] = psnr.sample(floats(found[`exit-${exit}`]!), data);
        sums[e]![s]! += value / tests.length;
      });
    }
  }
  await session.release();
  return sums;
}

/** CPU time up to every exit, ms. The exits take turns, so that a busy moment of the machine meets all of them. */
async function timeOf(config: DenoiseConfig, weights: Weights, repeats: number): Promise<number[]> {
  const sessions = await Promise.all(config.exits.map((exit) => load(config, weights, [exit])));
  const image = tensor(new Float32Array(SIDE * SIDE).fill(0.5), [1, 1, SIDE, SIDE]);
  const least = sessions.map(() => Number.POSITIVE_INFINITY);
  for (let k = 0; k < repeats; k++) {
    for (const [i, session] of sessions.entries()) {
      const before = process.cpuUsage();
      await session.run({ image });
      const { user, system } = process.cpuUsage(before);
      least[i] = Math.min(least[i]!, (user + system) / 1000);
    }
  }
  for (const session of sessions) await session.release();
  return least;
}
