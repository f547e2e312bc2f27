/** `calibrate` of a network that was trained elsewhere: from files to the answers of the service. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadBundle } from '../../src/bundle/read.ts';
import { writeNpy } from '../../src/codecs/npy.ts';
import { calibrateCommand } from '../../src/commands/calibrate.ts';
import { Random } from '../../src/data/random.ts';
import type * as tracing from '../../src/evaluation/trace-traffic.ts';
import { toModel } from '../../src/graph/model.ts';
import { input, reduceMax, sigmoid, sub } from '../../src/graph/operators.ts';
import { tensor } from '../../src/tasks/tensor/calibration.ts';
import { startSmallService } from '../server/support.ts';
import { CLASSES, writeTwoExits } from '../support/two-exits.ts';

const { withOneMs } = await vi.hoisted(() => import('../support/one-ms.ts'));
vi.mock('../../src/evaluation/trace-traffic.ts', async (original) =>
  withOneMs(await original<typeof tracing>()),
);

const COUNT = 4200;

/** Row of the first scores, then of the second, which are right; the first are right where the sample is easy, else 0. */
function rowOf(label: number, easy: boolean, random: Random): number[] {
  const right = Array.from({ length: CLASSES }, (_, k) =>
    k === label ? 6 : 0.1 * random.normal(),
  );
  return [...right.map((value) => (easy ? value : -value / 6)), ...right];
}

let models: string;
const data: Record<'x' | 'labels' | 'values' | 'wide', string> = {
  x: '',
  labels: '',
  values: '',
  wide: '',
};
const easyRow = rowOf(2, true, new Random(9));
const hardRow = rowOf(2, false, new Random(9));
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'stopwise-'));
  const scores = input('scores', ['N', CLASSES]);
  // Stops where a score of the first exit is large.
  const pi = sigmoid(sub(reduceMax(scores, [1]), 3));
  await writeTwoExits(models, toModel({ outputs: { pi } }));
  const random = new Random(1);
  const labels = Float32Array.from({ length: COUNT }, () => random.integer(CLASSES));
  const rows = Array.from(labels, (label) => rowOf(label, random.uniform() < 0.5, random));
  const save = async (name: keyof typeof data, values: Float32Array) => {
    data[name] = join(models, `${name}.npy`);
    const row = values.length / COUNT;
    const shape = row === 1 ? [COUNT] : [COUNT, row];
    await writeFile(data[name], writeNpy({ shape, data: values }));
  };
  await save('x', Float32Array.from(rows.flat()));
  await save('labels', labels);
  await save('values', Float32Array.from(rows.flatMap((row) => row.slice(CLASSES))));
  await save('wide', Float32Array.from(rows.flat()));
});
afterAll(() => rm(models, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

async function calibrate(target: string, ...more: string[]): Promise<void> {
  vi.spyOn(console, 'log').mockReturnValue();
  vi.spyOn(console, 'error').mockReturnValue();
  const files = ['--data', `x=${data.x}`, '--data', `target=${target}`];
  await calibrateCommand(['exits', ...files, '--together', '100', ...more], {
    models,
    checkpoints: models,
  });
}

describe('calibrate of a bundle of the task tensor', () => {
  it.each([
    ['classes', 'labels', 'points', [0.5, 1, 2], 1],
    ['values', 'values', 'dB', [0.05, 0.1, 0.2, 0.5], 0.2],
  ] as const)(
    'certifies %s, and the service then stops by tolerance',
    async (...given) => {
      const [, target, unit, tolerances, usual] = given;
      await calibrate(data[target], '--record');
      const { calibration } = (await loadBundle(join(models, 'exits'))).manifest;
      expect(calibration).toMatchObject({
        unit,
        default: usual,
        data: `${COUNT} samples of x.npy, ${target}.npy, seed 1609`,
      });
      expect(calibration!.rows.map(({ tolerance }) => tolerance)).toEqual(tolerances);
      for (const row of calibration!.rows) {
        expect(row).toMatchObject({ guaranteed: true, n: COUNT / 2 });
        expect(row.mean_depth).toBeGreaterThan(1.4);
        expect(row.mean_depth).toBeLessThan(1.6);
      }

      const service = await startSmallService({ modelsDir: models });
      const bare = await service.app.inject({
        method: 'POST',
        url: '/v1/tensor?model=exits',
        payload: { inputs: { x: easyRow } },
      });
      expect(bare.headers).toMatchObject({
        'x-tolerance': String(usual),
        'x-guaranteed': 'true',
        'x-stop-depth': '1',
      });
      const infer = await service.app.inject({
        method: 'POST',
        url: '/v2/models/exits/infer',
        payload: {
          inputs: [
            {
              name: 'x',
              datatype: 'FP32',
              shape: [2, 2 * CLASSES],
              data: [...easyRow, ...hardRow],
            },
          ],
        },
      });
      await service.close();
      const { parameters, outputs } = infer.json<{
        parameters: object;
        outputs: { name: string; data: number[] }[];
      }>();
      expect(parameters).toMatchObject({ tolerance: usual, guaranteed: true });
      expect(outputs.find(({ name }) => name === 'depth')!.data).toEqual([1, 2]);
    },
    60_000,
  );

  it('says which argument or file to change', async () => {
    await expect(calibrateCommand(['exits'], { models, checkpoints: models })).rejects.toThrow(
      /--data lacks the target/,
    );
    await expect(calibrate(data.labels, '--count', '2101')).rejects.toThrow(/enough for 2100/);
    await expect(calibrate(data.wide, '--count', '20')).rejects.toThrow(/target has 8 .* gives 4/);
    await expect(calibrate(data.labels, '--scale', '1')).rejects.toThrow(/not a flag of tensor/);
  });

  it('deals equal inputs to one part, and each row once', async () => {
    const random = new Random(3);
    const different = Array.from({ length: 100 }, () => rowOf(1, true, random));
    const twice = Float32Array.from([...different, ...different].flat());
    const labels = new Float32Array(200).fill(1);
    const [file, target] = [join(models, 'twice.npy'), join(models, 'ones.npy')];
    await writeFile(file, writeNpy({ shape: [200, 2 * CLASSES], data: twice }));
    await writeFile(target, writeNpy({ shape: [200], data: labels }));
    const { manifest } = await loadBundle(join(models, 'exits'));
    const flags = { data: [`x=${file}`, `target=${target}`] };
    const { selection, certification, test, most } = await tensor.traffic(flags, manifest, '', 1);
    expect(most).toBe(100);
    const sourcesOf = (part: typeof selection, n: number) =>
      Promise.all(Array.from({ length: n }, async (_, i) => (await part.draw(i)).source));
    const parts = [
      await sourcesOf(selection, 50),
      await sourcesOf(certification, 100),
      await sourcesOf(test!, 50),
    ];
    expect(new Set(parts.flat()).size).toBe(100);
    expect(parts.map((part) => new Set(part).size)).toEqual([25, 50, 25]);
  });
});
