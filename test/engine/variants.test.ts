/** Variants through the engine: which one runs, and that nothing else changes by it. */
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { SegmentRun } from '../../src/engine/transport/messages.ts';
import type { SampleResult } from '../../src/engine/types.ts';
import { toModel } from '../../src/graph/model.ts';
import { input, mul } from '../../src/graph/operators.ts';
import type { StoppingParameters } from '../../src/stopping/parameters.ts';
import { startSmallEngine } from '../support/small.ts';
import { FACTORS, RANGE, row, table, writeTwoForms } from '../support/two-forms.ts';

const sample = (level: number) => ({ x: { data: new Float32Array(4).fill(level), dims: [4] } });
/** What the sample answers: its form, depth and output as a factor of the input. */
const seen = ({ variant, depth, outputs, statistic }: SampleResult) => ({
  ...{ variant, depth },
  factor: Number((outputs.y!.data[0]! / statistic!).toFixed(5)),
});
const full = { rule: 'fixed', depth: 3 } as const;
const [IN_RANGE, BELOW, ABOVE] = [0.6, 0.3, 1.5];

const log: string[] = [];
const runs: SegmentRun[] = [];
let modelsDir: string;
let engine: Engine;

beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'stopwise-'));
  const write = (name: string, options: Parameters<typeof writeTwoForms>[2] = {}) =>
    writeTwoForms(modelsDir, name, options);
  await write('both');
  await write('slower', { slow: 'int8' });
  // In float the rule goes on at exit 0, where the variant's stops; at level 0.6 π is 0.31.
  const floats = table([row(0.1, { threshold: 0.95 }), row(0.2, { threshold: 0.5 })]);
  const own = table([row(0.05, { depth: 2 }), row(0.15, { threshold: 0.2 })]);
  await write('certified', { change: { calibration: floats }, variant: { calibration: own } });
  await write('half-certified', { change: { calibration: floats } });
  const decoder = toModel({ outputs: { y: mul(input('x', ['N', 4]), 1.2) } });
  await write('own-decoder', {
    files: { 'int8-decode.onnx': decoder },
    variant: { decoders: [{ file: 'int8-decode.onnx', exit: 3, reads: ['x'] }] },
  });
  for (const slow of ['float', 'int8'] as const)
    await write(`partly-${slow}`, {
      slow,
      variant: { segments: ['layer-00.onnx', 'int8-02.onnx', 'layer-03.onnx'] },
    });
  const x = input('x', ['N', 4]);
  const level = input('level', ['N']);
  const next = { next_y: mul(x, 0.3) };
  await write('odd-port', {
    files: { 'int8-02.onnx': toModel({ outputs: { next_z: mul(x, 2), pi: mul(level, 1) } }) },
  });
  await write('logit', {
    files: { 'int8-02.onnx': toModel({ outputs: { ...next, pi: mul(level, 80) } }) },
  });
  await write('no-onnx', { files: { 'int8-03.onnx': Buffer.from('int8') } });
  engine = await startSmallEngine(
    { modelsDir, variants: 'auto', log: (line) => log.push(line) },
    { segment: (run) => runs.push(run) },
  );
});
afterAll(async () => {
  await engine.close();
  await rm(modelsDir, { recursive: true });
});

async function run(model: string, levels: readonly number[], stopping: StoppingParameters = full) {
  const { samples, tolerance } = await engine.run(model, levels.map(sample), stopping);
  return { seen: samples.map(seen), tolerance };
}
const declined = (model: string) => engine.repository.variantDeclined(model, 'int8');

describe('the choice', () => {
  it('is by the statistic of each sample, within the range and its ends', async () => {
    const levels = [IN_RANGE, BELOW, ABOVE, RANGE.maximum, RANGE.minimum + 0.01];
    const { seen } = await run('both', levels);
    const [, float] = FACTORS.float;
    const [, int8] = FACTORS.int8;
    expect(seen.map(({ factor }) => factor)).toEqual([int8, float, float, int8, int8]);
    expect(seen.map(({ variant }) => variant)).toEqual(['int8', 'float', 'float', 'int8', 'int8']);
    expect(declined('both')).toBeUndefined();
  });

  it('is kept at every exit', async () => {
    const { seen } = await run('both', [IN_RANGE, BELOW], { rule: 'fixed', depth: 2 });
    expect(seen).toEqual([
      { variant: 'int8', depth: 2, factor: FACTORS.int8[0] },
      { variant: 'float', depth: 2, factor: FACTORS.float[0] },
    ]);
  });

  it('is float at exit 0, where no variant has run', async () => {
    const { seen } = await run('both', [IN_RANGE], { rule: 'fixed', depth: 0 });
    expect(seen).toEqual([{ variant: 'float', depth: 0, factor: 1 }]);
  });

  it('reads out by the decoder of the variant where it has one', async () => {
    const { seen } = await run('own-decoder', [IN_RANGE, BELOW]);
    expect(seen.map(({ factor }) => factor)).toEqual([1.2, FACTORS.float[1]]);
  });

  it('shares the segments that the variant takes from float, also where it is not used', async () => {
    const factor = async (slow: string, level: number) =>
      (await run(`partly-${slow}`, [level])).seen[0]!.factor;
    expect(await factor('float', IN_RANGE)).toBe(0.15);
    expect(await factor('float', BELOW)).toBe(FACTORS.float[1]);
    expect(await factor('int8', IN_RANGE)).toBe(FACTORS.float[1]);
  });

  it('is float where the warm-up found the variant no faster', async () => {
    const { seen } = await run('slower', [IN_RANGE]);
    expect(seen).toEqual([{ variant: 'float', depth: 3, factor: FACTORS.float[1] }]);
    expect(declined('slower')).toMatch(
      /^it is no faster here: [\d.]+ ms where float takes [\d.]+ ms$/,
    );
    expect(log).toContainEqual(
      expect.stringMatching(/slower does not use its variant int8: it is/),
    );
  });

  it('is float where the engine is set to it, and the variant everywhere where that is named', async () => {
    const only = ['both', 'slower'];
    for (const [variants, expected] of [
      ['float', [FACTORS.float[1], FACTORS.float[1]]],
      ['int8', [FACTORS.int8[1], FACTORS.int8[1]]],
    ] as const) {
      const other = await startSmallEngine({ modelsDir, only, variants });
      for (const model of only) {
        const { samples } = await other.run(model, [sample(IN_RANGE), sample(BELOW)], full);
        expect(samples.map((one) => seen(one).factor)).toEqual(expected);
      }
      expect(other.repository.variantDeclined('both', 'int8')).toBe(
        variants === 'float' ? 'the service is set to float' : undefined,
      );
      await other.close();
    }
  });
});

describe('mixed traffic', () => {
  it('is answered as each request alone, whatever it shares batches with', async () => {
    const random = new Random(4);
    const levels = Array.from({ length: 400 }, () => 0.1 + 1.2 * random.uniform());
    const rule = { threshold: 0.7 };
    const alone = new Map<number, unknown>();
    for (const level of levels) alone.set(level, (await run('both', [level], rule)).seen[0]);
    await new Promise((resolve) => setTimeout(resolve, 150));
    runs.length = 0;
    const together = await Promise.all(levels.map((level) => run('both', [level], rule)));
    expect(together.map(({ seen }) => seen[0])).toEqual(levels.map((level) => alone.get(level)));
    await expect.poll(() => runs.some(({ variant }) => variant === 'int8')).toBe(true);
    // Both forms formed batches, so that they could have been mixed.
    for (const variant of ['int8', undefined])
      expect(
        runs.some((run) => run.layer === 2 && run.variant === variant && run.batch > 1),
        variant,
      ).toBe(true);
  });
});

describe('a tolerance', () => {
  it('is that of the table of the variant that runs, from exit 0 on', async () => {
    const stops = async (level: number, stopping: StoppingParameters) => {
      const { seen, tolerance } = await run('certified', [level], stopping);
      return [seen[0]!.depth, seen[0]!.variant, tolerance];
    };
    // The default is the bundle's, 0.2: the variant's row for 0.15 stops at exit 0.
    expect(await stops(IN_RANGE, {})).toEqual([0, 'float', { used: 0.15, guaranteed: true }]);
    expect(await stops(IN_RANGE, { tolerance: 0.05 })).toEqual([
      2,
      'int8',
      { used: 0.05, guaranteed: true },
    ]);
    expect(await stops(ABOVE, {})).toEqual([3, 'float', { used: 0.2, guaranteed: true }]);
    expect(await stops(IN_RANGE, { threshold: 0.5 })).toEqual([3, 'int8', undefined]);
  });

  it('of several samples is the largest of their rows', async () => {
    const { tolerance } = await run('certified', [IN_RANGE, ABOVE], { tolerance: 0.15 });
    expect(tolerance).toEqual({ used: 0.15, guaranteed: true });
    const both = await run('certified', [IN_RANGE, ABOVE], {});
    expect(both.tolerance).toEqual({ used: 0.2, guaranteed: true });
  });

  it('is not guaranteed by a variant that has no table', async () => {
    const answer = async (level: number) => {
      const { seen, tolerance } = await run('half-certified', [level], {});
      return [seen[0]!.depth, seen[0]!.variant, tolerance];
    };
    expect(await answer(IN_RANGE)).toEqual([3, 'int8', { used: 0.2, guaranteed: false }]);
    expect(await answer(ABOVE)).toEqual([3, 'float', { used: 0.2, guaranteed: true }]);
    // It stops before the variant begins.
    expect(await answer(0.45)).toEqual([0, 'float', { used: 0.2, guaranteed: true }]);
  });
});

describe('a bundle', () => {
  it.each([
    ['of an odd port', 'odd-port', /int8-02\.onnx has no output next_y; it has next_z/],
    ['that is no ONNX', 'no-onnx', /int8-03\.onnx cannot be loaded/],
    ['whose π is no probability', 'logit', /int8-02\.onnx: π at exit 2 is \d/],
  ])('with a variant file %s is refused by that file', (_, name, says) => {
    expect(engine.refused.find((refusal) => refusal.name === name)?.reason).toMatch(says);
  });

  it('is refused by a variant file too where it is opened later or float alone runs', async () => {
    const only = ['both', 'odd-port'];
    for (const options of [{ variants: 'auto', openOnFirstUse: true }, { variants: 'float' }]) {
      const other = await startSmallEngine({ modelsDir, only, ...options });
      expect(other.refused).toEqual([
        { name: 'odd-port', reason: expect.stringMatching(/int8-02\.onnx has no output next_y/) },
      ]);
      await other.close();
    }
  });

  it('that its first request opens tells then whether its variant is used', async () => {
    const only = ['both', 'slower'];
    const options = { modelsDir, only, variants: 'auto', openOnFirstUse: true };
    const other = await startSmallEngine(options);
    expect(other.repository.variantDeclined('both', 'int8')).toMatch(/not open yet/);
    for (const model of only) await other.run(model, [sample(IN_RANGE)], full);
    expect(other.repository.variantDeclined('both', 'int8')).toBeUndefined();
    expect(other.repository.variantDeclined('slower', 'int8')).toMatch(/no faster/);
    await other.close();
  });
});

it('a bundle that replaces another brings its own variant and measurement', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stopwise-'));
  await writeTwoForms(folder, 'swapped');
  const other = await startSmallEngine({ modelsDir: folder, variants: 'auto', workers: 2 });
  const answer = async () =>
    seen((await other.run('swapped', [sample(IN_RANGE)], full)).samples[0]!);
  expect(await answer()).toMatchObject({ variant: 'int8', factor: FACTORS.int8[1] });
  const running = Promise.all(Array.from({ length: 50 }, answer));
  const next = await mkdtemp(join(tmpdir(), 'stopwise-'));
  await writeTwoForms(next, 'swapped', { slow: 'int8', change: { version: '2' } });
  await rename(join(folder, 'swapped'), join(next, 'old'));
  await rename(join(next, 'swapped'), join(folder, 'swapped'));
  await other.repository.load('swapped');
  for (const one of await running) expect(one.factor).toBe(FACTORS.int8[1]);
  for (let i = 0; i < 4; i++)
    expect(await answer()).toMatchObject({ variant: 'float', factor: FACTORS.float[1] });
  expect(other.repository.variantDeclined('swapped', 'int8')).toMatch(/no faster/);
  await other.close();
});
