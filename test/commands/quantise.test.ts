/** `quantise` on a small bundle with exit 0. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { outputName } from '../../src/bundle/manifest.ts';
import { declaredPorts } from '../../src/bundle/onnx-ports.ts';
import { loadBundle, type Bundle } from '../../src/bundle/read.ts';
import { writeManifest } from '../../src/bundle/write.ts';
import { quantiseCommand } from '../../src/commands/quantise.ts';
import type * as ranges from '../../src/evaluation/variant-range.ts';
import { defineDncnn } from '../../src/families/dncnn.ts';
import { floats, Session, tensor, type Tensors } from '../../src/runtime/session.ts';
import { denoiseDefaults } from '../../src/tasks/denoise/config.ts';
import { partOf } from '../../src/tasks/denoise/photographs.ts';
import { livelyWeights, smallModels, writeModels } from '../support/small.ts';
import { madeUpPhoto } from '../tasks/denoise/images.ts';

const noRange = vi.hoisted(() => ({ value: false }));
vi.mock('../../src/evaluation/variant-range.ts', async (original) => {
  const actual = await original<typeof ranges>();
  const variantRange: typeof actual.variantRange = (...args) =>
    noRange.value ? undefined : actual.variantRange(...args);
  return { ...actual, variantRange };
});

const config = {
  ...denoiseDefaults.half,
  channels: 1,
  features: 6,
  depth: 6,
  exits: [0, 2, 4, 6],
  hidden: 3,
} as const;

let models: string;
let images: string;
beforeAll(async () => {
  const family = defineDncnn(config);
  const gray = smallModels().find(({ name }) => name === 'small-gray')!;
  const change = { training: { config, seed: 5 } };
  models = await writeModels([
    { name: 'gray', family, weights: livelyWeights(family), change },
    { ...gray, change: { training: { config: { ...config, exits: [2, 3, 4], depth: 4 } } } },
  ]);
  images = join(models, '.images');
  await mkdir(images);
  const missing = new Set<string>(['training', 'selection', 'certification']);
  for (let k = 0; missing.size > 0; k++) {
    const { width, height, data } = madeUpPhoto(k, 1);
    const pixels = Uint8Array.from(data, (value) => Math.round(255 * value));
    const image = sharp(pixels, { raw: { width, height, channels: 1 } });
    const file = await image.toColourspace('b-w').png().toBuffer();
    await writeFile(join(images, `${k}.png`), file);
    missing.delete(partOf(file));
  }
});
afterEach(() => vi.restoreAllMocks());

const bundle = (): Promise<Bundle> => loadBundle(join(models, 'gray'));

/** Runs the command; what it prints on standard output. */
async function quantise(...args: string[]): Promise<string> {
  const printed: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((text) => void printed.push(String(text)));
  vi.spyOn(console, 'table').mockReturnValue();
  vi.spyOn(console, 'error').mockReturnValue();
  await quantiseCommand(args, { models, checkpoints: models });
  return printed.join('\n');
}

/** π and the answer at every exit that computes, with the given files for the segments. */
async function answers(
  files: readonly string[],
): Promise<{ pi: number[]; denoised: Float32Array[] }> {
  const { directory, manifest } = await bundle();
  const { width, height, data } = madeUpPhoto(3, 1);
  const values: Tensors = { image: tensor(data, [1, 1, height, width]) };
  const pi: number[] = [];
  const denoised: Float32Array[] = [];
  for (const [i, file] of files.entries()) {
    const session = await Session.load(join(directory, file));
    const found = await session.run(session.pick(values));
    for (const state of manifest.segments[i]!.writes) values[state] = found[outputName(state)]!;
    if (found.pi) pi.push(floats(found.pi)[0]!);
    const decoder = await Session.load(join(directory, manifest.decoders[i]!.file));
    denoised.push(floats((await decoder.run(decoder.pick(values))).denoised!).slice());
  }
  return { pi, denoised };
}

it('refuses what it cannot quantise, with a sentence', async () => {
  await expect(quantise('gray')).rejects.toThrow('npm run quantise -- NAME --data DIR');
  await expect(quantise('gray', '--data', images, '--limit', '0')).rejects.toThrow('--limit');
  await expect(quantise('small-gray', '--data', images)).rejects.toThrow('exit 0');
});

it('nothing is written where every range loses too much', async () => {
  const before = (await bundle()).manifest;
  noRange.value = true;
  const run = quantise('gray', '--data', images, '--count', '12');
  await expect(run).rejects.toThrow('nothing was written');
  noRange.value = false;
  expect((await bundle()).manifest).toEqual(before);
});

it('writes a variant that answers nearly as float does, and leaves the bundle as it was', async () => {
  const before = (await bundle()).manifest;
  const printed = await quantise('gray', '--data', images, '--count', '12', '--limit', '5');
  const { directory, manifest } = await bundle();
  const { variants, files, ...rest } = manifest;
  const { files: own, ...others } = before;
  expect(rest).toEqual(others);
  expect(files).toMatchObject(own);
  expect(variants).toHaveLength(1);
  const [{ name, segments, statistic, loss } = { segments: [], statistic: {}, name: '', loss: 9 }] =
    variants!;
  expect(name).toBe('int8');
  expect(segments).toEqual([
    'layer-00.onnx',
    'layer-02.onnx',
    'int8-layer-04.onnx',
    'int8-layer-06.onnx',
  ]);
  expect(statistic.maximum).toBeGreaterThan(statistic.minimum!);
  expect(loss).toBeLessThan(5);
  expect(printed).toContain(`noise_level ${statistic.minimum} to ${statistic.maximum}`);
  for (const [i, file] of segments.entries()) {
    const float = await readFile(join(directory, manifest.segments[i]!.file));
    expect(declaredPorts(await readFile(join(directory, file)))).toEqual(declaredPorts(float));
  }

  const float = await answers(manifest.segments.map(({ file }) => file));
  const int8 = await answers(segments);
  for (const [i, answer] of int8.denoised.entries()) {
    const error = Math.hypot(...answer.map((value, k) => value - float.denoised[i]![k]!));
    const change = Math.hypot(
      ...float.denoised[i]!.map((value, k) => value - float.denoised[0]![k]!),
    );
    if (i < 2) expect(error).toBe(0);
    else {
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThan(0.05 * change);
    }
  }
  int8.pi.forEach((pi, i) => expect(pi).toBeCloseTo(float.pi[i]!, 2));
});

it('features that are all zero stay finite', async () => {
  const { directory, manifest } = await bundle();
  const session = await Session.load(join(directory, manifest.variants![0]!.segments[2]!));
  const found = await session.run({
    features: tensor(new Float32Array(2 * 6 * 4 * 4), [2, 6, 4, 4]),
    seen: tensor(new Float32Array(20), [2, 10]),
  });
  expect([...floats(found.next_features!)].every((value) => value === 0)).toBe(true);
  expect([...floats(found.pi!)].every(Number.isFinite)).toBe(true);
});

it('replaces a variant only where that is asked for', async () => {
  const again = ['gray', '--data', images, '--count', '12', '--limit', '5'];
  await expect(quantise(...again)).rejects.toThrow('--replace');
  const { directory, manifest } = await bundle();
  await writeManifest(directory, {
    ...manifest,
    variants: [{ ...manifest.variants![0]!, loss: 4 }],
  });
  await quantise(...again, '--replace');
  const { variants, files } = (await bundle()).manifest;
  expect(variants![0]!.loss).toBeLessThan(4);
  expect(Object.keys(files).filter((file) => file.startsWith('int8-'))).toHaveLength(2);
});
