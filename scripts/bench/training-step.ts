/** Speed of a training step relative to a forward convolution. */
import { availableParallelism } from 'node:os';
import { Random } from '../../src/data/random.ts';
import { countFlops } from '../../src/graph/flops.ts';
import { toModel } from '../../src/graph/model.ts';
import { conv, input } from '../../src/graph/operators.ts';
import { Session, tensor } from '../../src/runtime/session.ts';
import { denoiseDefaults } from '../../src/tasks/denoise/config.ts';
import { denoiseStages } from '../../src/tasks/denoise/stages.ts';
import { Trainer } from '../../src/training/trainer.ts';
import { unroll } from '../../src/training/unroll.ts';
import { initialWeights } from '../../src/training/weights.ts';
import { alternate, round, type Bench } from './row.ts';

export const trainingStep: Bench = {
  name: 'training-step',
  about:
    'DnCNN-stop: FLOP rate of a training step (3 × the forward FLOPs) against that of one forward convolution.',
  async run() {
    const config = { ...denoiseDefaults.half, channels: 1 as const };
    const { batch, patch, features } = config;
    const random = new Random(1);
    const draw = (dims: readonly number[]) => {
      const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
      random.fillNormal(data, 0.1);
      return tensor(data, dims);
    };
    const dims = [batch, 1, patch, patch];
    const next = () => ({
      image: draw(dims),
      clean: draw(dims),
      weight: tensor(new Float32Array(batch).fill(1), [batch]),
    });
    const { family, stages } = denoiseStages(
      config,
      { next, samples: () => ({ next }) },
      new Random(1),
    );
    const { outputs } = unroll(family, { image: input('image', dims) });
    const flops =
      3 *
      countFlops(
        outputs.map(({ denoised }) => denoised!),
        [],
        {},
      );
    const threads = Math.min(availableParallelism(), 2);
    const stage = stages[0]!;
    const trainer = await Trainer.create({
      loss: stage.loss,
      learn: stage.learn,
      weights: initialWeights(family, random.normal),
      threads,
    });
    const feeds = stage.batch(0);

    const shape = [batch, features, patch / 2, patch / 2];
    const one = conv(input('x', shape), input('w', [features, features, 3, 3]));
    const session = await Session.load(toModel({ outputs: { y: one } }), {
      threads,
      spin: threads > 1,
    });
    const tensors = { x: draw(shape), w: draw([features, features, 3, 3]) };
    const times = 60;
    const time = await alternate(
      () => trainer.step(feeds, 1e-4),
      async () => {
        for (let i = 0; i < times; i++) await session.run(tensors);
      },
      15,
    );
    await trainer.release();
    await session.release();
    const rate = {
      step: flops / time.first / 1e6,
      forward: (times * countFlops([one], [], {})) / time.second / 1e6,
    };
    return [
      {
        benchmark: 'training-step',
        what: `training step over forward convolution, ${threads} threads`,
        value: round((100 * rate.step) / rate.forward),
        unit: '%',
        target: '≥ 50',
        detail: `${rate.step.toFixed(0)} of ${rate.forward.toFixed(0)} GFLOP/s`,
      },
    ];
  },
};
