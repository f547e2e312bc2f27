/** Exit 0, policies in files of their own, and tolerances, through the engine. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCHEMA_VERSION, type Calibration, type Manifest } from '../../src/bundle/manifest.ts';
import { loadBundle } from '../../src/bundle/read.ts';
import { writeBundle, writeManifest } from '../../src/bundle/write.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { Parameters, type Family } from '../../src/families/family.ts';
import { toModel } from '../../src/graph/model.ts';
import { abs, div, input, mul, reduceMean, sigmoid, sub } from '../../src/graph/operators.ts';
import type { StoppingParameters } from '../../src/stopping/parameters.ts';
import { lower, perSample } from '../../src/training/export.ts';
import { startSmallEngine } from '../support/small.ts';

/** Halves its input at each of three layers. π at every exit is σ(8 (0.5 − level)): quiet inputs stop at once. */
const halving: Family = {
  name: 'halving',
  depth: 3,
  exits: [0, 2, 3],
  inputs: { measurements: ['N', 4] },
  outputs: ['signal'],
  parameters: new Parameters().all,
  layer: (t, { measurements, half }) =>
    t === 0
      ? { level: reduceMean(abs(measurements!), [1]) }
      : { half: mul(half ?? measurements!, 0.5) },
  policy: (_, { level }) => mul(sub(0.5, level!), 8),
  decode: (t, { measurements, half }) => ({ signal: t === 0 ? measurements! : half! }),
};

const row = (tolerance: number, threshold: number | null): Calibration['rows'][number] => ({
  tolerance,
  threshold,
  share: 0.99,
  bound: 0.96,
  n: 3000,
  mean_depth: 1,
  ms: 0.1,
  guaranteed: threshold !== null,
});

let engine: Engine;
beforeAll(async () => {
  const modelsDir = await mkdtemp(join(tmpdir(), 'stopwise-'));
  const { contents, ...lowered } = lower(halving, new Map(), perSample);
  const write = (
    name: string,
    change: Partial<Manifest> = {},
    more: readonly (readonly [string, Uint8Array])[] = [],
  ): Promise<Manifest> =>
    writeBundle(
      join(modelsDir, name),
      {
        schema_version: SCHEMA_VERSION,
        name,
        version: '1',
        task: 'sparse-recovery',
        default: false,
        ...lowered,
        statistic: 'level',
        threshold: 0.5,
        training: {},
        task_files: [],
        ...change,
      },
      new Map([...contents, ...more]),
    );
  await write('zero');
  await write('certified', {
    calibration: { unit: 'dB', default: 0.2, data: 'drawn', rows: [row(0.1, 0.95), row(0.2, 0.2)] },
  });
  // The same without a segment for exit 0, and with a policy of its own at exit 2 that reads the state there.
  const segments = lowered.segments.slice(1).map((segment) => ({ ...segment }));
  const states = lowered.states.filter(({ name }) => name === 'half');
  const policy = toModel({
    outputs: { pi: sigmoid(mul(reduceMean(input('half', ['N', 4]), [1]), 8)) },
    weights: new Map(),
  });
  const bare = toModel({
    outputs: { next_half: mul(input('measurements', ['N', 4]), 0.25) },
    weights: new Map(),
  });
  segments[0] = { ...segments[0]!, file: 'bare.onnx', reads: ['measurements'] };
  await write(
    'foreign',
    {
      segments,
      states,
      policy_files: [{ file: 'policy-02.onnx', exit: 2, reads: ['half'] }],
    },
    [
      ['policy-02.onnx', policy],
      ['bare.onnx', bare],
    ],
  ).then((manifest) => {
    delete manifest.statistic;
    return writeManifest(join(modelsDir, 'foreign'), manifest);
  });
  const logit = toModel({
    outputs: { pi: mul(reduceMean(input('half', ['N', 4]), [1]), 80) },
    weights: new Map(),
  });
  await write('unfit', { policy_files: [{ file: 'logit.onnx', exit: 2, reads: ['half'] }] }, [
    ['logit.onnx', logit],
  ]);
  // The last segment that has a policy gives a logit, or 0 / 0, as its own π.
  const half = mul(input('measurements', ['N', 4]), 0.25);
  const level = mul(input('level', ['N']), 80);
  for (const [name, pi] of [
    ['segment-logit', level],
    ['segment-nan', div(sub(level, level), sub(level, level))],
  ] as const)
    await write(name, {}, [
      ['layer-02.onnx', toModel({ outputs: { next_half: half, pi }, weights: new Map() })],
    ]);
  engine = await startSmallEngine({ modelsDir });
});
afterAll(() => engine.close());

const sample = (level: number) => ({
  measurements: { data: new Float32Array(4).fill(level), dims: [4] },
});

async function run(model: string, levels: readonly number[], stopping: StoppingParameters = {}) {
  const { samples, tolerance } = await engine.run(model, levels.map(sample), stopping);
  const seen = samples.map(({ depth, reason, outputs, pi, statistic }) => ({
    depth,
    reason,
    value: outputs.signal!.data[0]!,
    pi,
    statistic,
  }));
  return { seen, tolerance };
}

describe('exit 0', () => {
  it('is served by the segments that have it', () => {
    expect([...engine.manifests.keys()].sort()).toEqual(['certified', 'foreign', 'zero']);
  });

  it('answers the input itself where π₀ says so, without running a layer, and tells the statistic', async () => {
    const { seen } = await run('zero', [0.25, 0.75]);
    expect(seen[0]).toMatchObject({ depth: 0, reason: 'policy', value: 0.25, statistic: 0.25 });
    expect(seen[0]!.pi).toHaveLength(1);
    expect(seen[1]).toMatchObject({ depth: 3, reason: 'max_depth', value: 0.09375 });
    expect(seen[1]!.pi).toHaveLength(2);
  });

  it('keeps states until they are written again: exit 2 still knows the level', async () => {
    const { seen } = await run('zero', [0.25], { minDepth: 1 });
    expect(seen[0]).toMatchObject({ depth: 2, reason: 'policy', value: 0.0625 });
  });

  it.each(['zero', 'foreign'])('is a fixed depth and a max_depth of %s', async (model) => {
    expect((await run(model, [0.75], { depth: 0 })).seen[0]).toMatchObject({
      depth: 0,
      reason: 'fixed',
      value: 0.75,
    });
    expect((await run(model, [0.75], { maxDepth: 0, threshold: 1 })).seen[0]).toMatchObject({
      depth: 0,
      reason: 'max_depth',
    });
  });

  it('is what a deadline gets that leaves no time for a layer, where nothing has to run for it', async () => {
    expect((await run('foreign', [0.75], { deadlineMs: 0 })).seen[0]).toMatchObject({
      depth: 0,
      reason: 'deadline',
      value: 0.75,
    });
  });
});

const reasonOf = (name: string): string | undefined =>
  engine.refused.find((bundle) => bundle.name === name)?.reason;

describe('a policy within a segment', () => {
  it.each([
    ['a logit', 'segment-logit', /layer-02\.onnx: π at exit 2 is \d+.*between 0 and 1/],
    ['no number', 'segment-nan', /layer-02\.onnx: π at exit 2 is NaN .*between 0 and 1/],
  ])('is refused in warm-up where it gives %s', (_, name, says) => {
    expect(reasonOf(name)).toMatch(says);
  });
});

describe('a policy in a file of its own', () => {
  it('stops where it says so', async () => {
    const { seen } = await run('foreign', [0.75, -0.75]);
    expect(seen[0]).toMatchObject({ depth: 2, reason: 'policy', value: 0.1875 });
    expect(seen[0]!.pi[0]).toBeNaN();
    expect(seen[0]!.pi[1]).toBeCloseTo(1 / (1 + Math.exp(-1.5)), 5);
    expect(seen[1]).toMatchObject({ depth: 3, reason: 'max_depth' });
  });

  it('is refused in warm-up where it gives no probability', () => {
    expect(reasonOf('unfit')).toMatch(/logit\.onnx: π at exit 2 is .*between 0 and 1/);
  });

  it('does not run where no rule can stop by it', async () => {
    expect((await run('foreign', [0.75], { depth: 3 })).seen[0]!.pi).toEqual([NaN, NaN]);
  });
});

describe('a tolerance', () => {
  it('is the default of a certified model and says which row was used', async () => {
    const { seen, tolerance } = await run('certified', [0.6]);
    expect(seen[0]).toMatchObject({ depth: 0, reason: 'policy' });
    expect(tolerance).toEqual({ used: 0.2, guaranteed: true });
  });

  it('takes the strictest row below the smallest, and lapses under a bound on depth', async () => {
    const { seen, tolerance } = await run('certified', [0.6], { tolerance: 0.01, maxDepth: 2 });
    expect(seen[0]).toMatchObject({ depth: 2, reason: 'max_depth' });
    expect(tolerance).toEqual({ used: 0.1, guaranteed: false });
  });

  it('is refused by a model that has no table', async () => {
    await expect(run('zero', [0.5], { tolerance: 0.2 })).rejects.toMatchObject({
      code: 'not-calibrated',
    });
  });
});

/** Adds a variant that repeats the bundle's own files. */
const withVariant =
  (change: Partial<NonNullable<Manifest['variants']>[number]>) =>
  (manifest: Manifest): Manifest => {
    const segments = manifest.segments.map(({ file }) => file);
    const variant = { name: 'int8', segments, statistic: {}, loss: 0.1, ...change };
    return { ...manifest, statistic: 'level', variants: [variant] };
  };

describe('manifests', () => {
  it.each<[string, RegExp, (manifest: Manifest) => Manifest]>([
    ['exits that fall', /exits 0, 3, 2 do not rise|last exit/, (m) => ({ ...m, exits: [0, 3, 2] })],
    [
      'a statistic that no segment 0 writes',
      /no segment with first: 0 writes the statistic half/,
      (m) => ({ ...m, statistic: 'half' }),
    ],
    [
      'a variant with too few files',
      /the variant int8 has 1 files for 3 segments/,
      (m) => ({
        ...m,
        statistic: 'level',
        variants: [{ name: 'int8', segments: ['layer-00.onnx'], statistic: {}, loss: 0.1 }],
      }),
    ],
    [
      'a variant whose file is missing',
      /int8-02\.onnx is not among its files/,
      (m) => ({
        ...m,
        statistic: 'level',
        variants: [
          {
            name: 'int8',
            segments: ['layer-00.onnx', 'int8-02.onnx', 'layer-03.onnx'],
            statistic: { minimum: 10 },
            loss: 0.1,
          },
        ],
      }),
    ],
    [
      'a variant that computes its own statistic',
      /the variant int8 begins with int8-00\.onnx, not with layer-00\.onnx/,
      withVariant({ segments: ['int8-00.onnx', 'layer-02.onnx', 'layer-03.onnx'] }),
    ],
    ['a variant named float', /there are two variants float/, withVariant({ name: 'float' })],
    [
      'a variant that reads out exit 0',
      /decode-03\.onnx reads out exit 0, which the variant int8 does not run to/,
      withVariant({ decoders: [{ file: 'decode-03.onnx', exit: 0, reads: ['measurements'] }] }),
    ],
    [
      'a read-out of a variant that reads what is not there',
      /decode-03\.onnx reads quarter, which nothing before it writes/,
      withVariant({ decoders: [{ file: 'decode-03.onnx', exit: 3, reads: ['quarter'] }] }),
    ],
    [
      'a variant whose table has no like in the bundle',
      /the calibration of the variant int8 is in dB, unlike the bundle's/,
      withVariant({
        calibration: { unit: 'dB', default: 0.1, data: 'drawn', rows: [row(0.1, 0.5)] },
      }),
    ],
    [
      'a path beside exit 0',
      /path goes neither with exit 0/,
      (m) => ({ ...m, path: 'layer-00.onnx' }),
    ],
  ])('with %s are refused', async (_, says, change) => {
    const folder = await mkdtemp(join(tmpdir(), 'stopwise-'));
    const { contents, ...lowered } = lower(halving, new Map(), perSample);
    const manifest = await writeBundle(
      join(folder, 'zero'),
      {
        schema_version: SCHEMA_VERSION,
        name: 'zero',
        version: '1',
        task: 'sparse-recovery',
        default: false,
        ...lowered,
        training: {},
        task_files: [],
      },
      contents,
    );
    await writeManifest(join(folder, 'zero'), change(manifest));
    await expect(loadBundle(join(folder, 'zero'))).rejects.toThrow(says);
  });

  it('of schema 1 are read as schema 2', async () => {
    const { manifest } = await loadBundle(join('models', 'sparse-recovery'));
    expect(manifest.schema_version).toBe(SCHEMA_VERSION);
  });
});
