/** `train policy` on a network without policies, made here: scores that get better from exit to exit. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Manifest } from '../../src/bundle/manifest.ts';
import { loadBundle } from '../../src/bundle/read.ts';
import { writeNpy } from '../../src/codecs/npy.ts';
import { trainPolicyCommand } from '../../src/commands/train-policy.ts';
import { Random } from '../../src/data/random.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { checkTask } from '../../src/tasks/by-name.ts';
import { startSmallEngine } from '../support/small.ts';
import { CLASSES, writeTwoExits } from '../support/two-exits.ts';

const COUNT = 1500;

/**
 * The input holds two rows of scores. The first exit reads the first, the second both: where the first are large they
 * are right, where they are small they say nothing.
 */
function samples(count: number, seed: number) {
  const random = new Random(seed);
  const x = new Float32Array(count * 2 * CLASSES);
  const labels = new Float32Array(count);
  const easy: boolean[] = [];
  for (let i = 0; i < count; i++) {
    labels[i] = random.integer(CLASSES);
    easy.push(random.uniform() < 0.5);
    for (let k = 0; k < CLASSES; k++) {
      const right = Number(k === labels[i]);
      x[i * 2 * CLASSES + k] = easy[i] ? 6 * right : 0.3 * random.normal();
      x[i * 2 * CLASSES + CLASSES + k] = 6 * right;
    }
  }
  return { x, labels, easy };
}

let models: string;
let args: string[];
const said: string[] = [];
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'stopwise-'));
  await writeTwoExits(models);
  const { x, labels } = samples(COUNT, 1);
  await writeFile(join(models, 'x.npy'), writeNpy({ shape: [COUNT, 2 * CLASSES], data: x }));
  await writeFile(join(models, 'y.npy'), writeNpy({ shape: [COUNT], data: labels }));
  const data = [
    '--data',
    `x=${join(models, 'x.npy')}`,
    '--data',
    `target=${join(models, 'y.npy')}`,
  ];
  args = ['--bundle', join(models, 'exits'), ...data, '--steps', '200'];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void said.push(line));
});
afterAll(() => vi.restoreAllMocks());

describe('a network without policies', () => {
  let engine: Engine | undefined;
  afterAll(() => engine?.close());

  it('is refused before, and stops each sample as deep as it needs afterwards', async () => {
    const directory = join(models, 'exits');
    const before = await readFile(join(directory, 'layer-01.onnx'));
    const start = () => startSmallEngine({ modelsDir: models, check: checkTask });
    const refusing = await start();
    expect(refusing.refused).toEqual([
      { name: 'exits', reason: expect.stringContaining('has no output pi') },
    ]);
    await refusing.close();
    await trainPolicyCommand(args);
    expect(said.join()).toMatch(
      /1 policies were written. On 300 samples.*\n.*policy +mean depth 1\.[45]/,
    );
    expect(await readFile(join(directory, 'layer-01.onnx'))).toEqual(before);
    const { manifest } = await loadBundle(directory, checkTask);
    expect(manifest.policy_files).toEqual([
      { file: 'policy-01.onnx', exit: 1, reads: ['x', 'scores'] },
    ]);

    engine = await start();
    expect(engine.refused).toEqual([]);
    const fresh = samples(200, 2);
    const rows = Array.from({ length: 200 }, (_, i) => ({
      x: { data: fresh.x.slice(i * 2 * CLASSES, (i + 1) * 2 * CLASSES), dims: [2 * CLASSES] },
    }));
    const { samples: answers } = await engine.run('exits', rows);
    const right = answers.filter(({ depth }, i) => depth === (fresh.easy[i] ? 1 : 2));
    expect(right.length).toBeGreaterThan(190);
  }, 120_000);
});

it.each<[string, () => string[], RegExp]>([
  ['policies that are there', () => args, /exits has policy files; --replace/],
  [
    'a missing input',
    () => [...args.slice(0, 2), '--replace', ...args.slice(4)],
    /lacks the input x/,
  ],
  ['a missing target', () => [...args.slice(0, 4), '--replace'], /lacks the target/],
  ['a price that is no number', () => [...args, '--replace', '--lambda', 'x'], /--lambda must be/],
  ['no bundle', () => args.slice(2), /npm run train -- policy/],
])('with %s it says what to change', async (_, given, message) => {
  await expect(trainPolicyCommand(given())).rejects.toThrow(message);
});

it('gives the bundle no promise that was of other policies', async () => {
  const file = join(models, 'exits', 'manifest.json');
  const manifest = JSON.parse(await readFile(file, 'utf8')) as Manifest;
  await writeFile(file, JSON.stringify({ ...manifest, threshold: 0.9 }));
  await trainPolicyCommand([...args, '--replace']);
  expect(JSON.parse(await readFile(file, 'utf8'))).not.toHaveProperty('threshold');
}, 60_000);
