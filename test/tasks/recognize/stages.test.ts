import { toConstants } from '../../../src/training/weights.ts';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { LabelledImages } from '../../../src/data/class-folders.ts';
import { Random } from '../../../src/data/random.ts';
import { toModel } from '../../../src/graph/model.ts';
import { input } from '../../../src/graph/operators.ts';
import { floats, Session, tensor } from '../../../src/runtime/session.ts';
import { WEIGHTS } from '../../../src/training/export.ts';
import { recognizeDefaults } from '../../../src/tasks/recognize/config.ts';
import { recognizeFamily } from '../../../src/tasks/recognize/stages.ts';
import { recognize } from '../../../src/tasks/learning.ts';
import { train } from '../../../src/training/train.ts';
import { decodeTensors } from '../../../src/training/safetensors.ts';
import { unroll } from '../../../src/training/unroll.ts';

const side = 8;
const config = {
  ...recognizeDefaults.sdn,
  channels: 3 as const,
  ...{
    side,
    widths: [6, 6],
    blocks: [1, 1],
    exits: [1, 2],
    crop: side,
    shift: 1,
    batch: 16,
    held: 0.1,
  },
  stageOne: { ...recognizeDefaults.sdn.stageOne, steps: 120, rate: 1e-2 },
  stageTwo: { ...recognizeDefaults.sdn.stageTwo, steps: 10 },
};

/** Faint noise with stripes: across, down, or none. */
function stripes(each: number): LabelledImages {
  const random = new Random(3);
  const classes = Array.from({ length: 3 * each }, (_, i) => i % 3);
  const images = classes.map((k) => {
    const data = new Float32Array(3 * side * side);
    random.fillNormal(data, 0.01);
    data.forEach(
      (value, i) =>
        (data[i] = 0.5 + value + (k === 2 ? 0 : 0.03 * ((k === 0 ? Math.floor(i / side) : i) % 2))),
    );
    return { channels: 3 as const, width: side, height: side, data };
  });
  return { labels: ['across', 'down', 'none'], images, classes };
}

it('what is exported recognises what was learnt, its statistics folded in', async () => {
  const data = stripes(40);
  const folder = await mkdtemp(join(tmpdir(), 'stopwise-recognize-'));
  const { lowered } = await train(recognize, config, data, {
    ...{ threads: 1, folder, resume: false, checkpointSeconds: 1e9, onProgress: () => undefined },
  });
  const { tensors } = decodeTensors(Buffer.from(lowered.contents.get(WEIGHTS)!));
  const image = input('image', [data.images.length, 3, side, side]);
  const [, last] = unroll(recognizeFamily(config, 3), { image }).outputs;
  const weights = toConstants(tensors);
  const session = await Session.load(toModel({ outputs: { logits: last!.logits! }, weights }));
  const pixels = Float32Array.from(data.images.flatMap((planes) => [...planes.data]));
  const logits = floats(
    (await session.run({ image: tensor(pixels, [data.images.length, 3, side, side]) })).logits!,
  );
  const right = data.classes.filter((k, i) => {
    const row = [...logits.subarray(3 * i, 3 * i + 3)];
    return row.indexOf(Math.max(...row)) === k;
  });
  expect(right.length / data.classes.length).toBeGreaterThan(0.95);
});
