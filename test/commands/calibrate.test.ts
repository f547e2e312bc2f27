/** `calibrate` from the traffic to the answers of the service. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Manifest } from '../../src/bundle/manifest.ts';
import { loadBundle } from '../../src/bundle/read.ts';
import { calibrateCommand } from '../../src/commands/calibrate.ts';
import { Parameters as ModelParameters, type Family } from '../../src/families/family.ts';
import { abs, concat, mul, reduceMean, relu, sub } from '../../src/graph/operators.ts';
import { startSmallService } from '../server/support.ts';
import { smallModels, writeModels } from '../support/small.ts';
import type { AdaptivityGain } from '../../src/evaluation/gain.ts';
import type * as tracing from '../../src/evaluation/trace-traffic.ts';

const { withOneMs } = await vi.hoisted(() => import('../support/one-ms.ts'));
vi.mock('../../src/evaluation/trace-traffic.ts', async (original) =>
  withOneMs(await original<typeof tracing>()),
);

/** Mean |b| from which the first exit is as good as the others. */
const LOUD = 0.3;

/**
 * Every exit answers zeros, 0 dB; but the first answers quiet measurements with far too much. Its π exceeds 1/2 for loud
 * measurements alone and that of the second for all: the cheapest safe rule is a threshold near 1/2, which gives depth 1 to
 * the loud and 2 to the quiet.
 */
const shouting: Family = {
  name: 'lista-shouting',
  depth: 3,
  exits: [1, 2, 3],
  inputs: { measurements: ['N', 12] },
  outputs: ['signal'],
  parameters: new ModelParameters().all,
  layer(t, { measurements }) {
    const level = reduceMean(abs(measurements!), [1], true);
    const excess = t === 1 ? mul(relu(sub(LOUD, level)), 1e6) : 0;
    const wide = concat([measurements!, measurements!], 1);
    return { signal: mul(wide, excess), level: reduceMean(abs(measurements!), [1]) };
  },
  policy: (t, { level }) => mul(sub(level!, t === 1 ? LOUD : -1), 8),
};

let models: string;
beforeAll(async () => {
  const gray = smallModels().find(({ name }) => name === 'small-gray')!;
  models = await writeModels([{ name: 'shouting', family: shouting, weights: new Map() }, gray]);
});
afterEach(() => vi.restoreAllMocks());

const manifestOf = async (): Promise<Manifest> =>
  (await loadBundle(join(models, 'shouting'))).manifest;

/** Runs the command; what it prints on standard output. */
async function calibrate(...args: string[]): Promise<string> {
  const printed: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((text) => void printed.push(String(text)));
  vi.spyOn(console, 'error').mockReturnValue();
  await calibrateCommand(args, { models, checkpoints: models });
  return printed.join('\n');
}

describe('calibrate', () => {
  it('prints the table, the gain, the classes and the exits, and leaves the manifest as it is', async () => {
    const before = await readFile(join(models, 'shouting', 'manifest.json'), 'utf8');
    const text = await calibrate('shouting', '--scale', '1', '--count', '40', '--repeats', '1');
    expect(text).toMatch(/scale 1, seed 1609/);
    // 40 requests cannot certify anything.
    expect(text.match(/none is safe/g)!.length).toBeGreaterThanOrEqual(4);
    expect(text).toMatch(/Adaptivity gain on test/);
    for (const kind of ['laplace', 'normal', 'positive', 'sign', 'student'])
      expect(text).toMatch(new RegExp(`^ *${kind} `, 'm'));
    expect(console.error).toHaveBeenCalledWith(expect.stringMatching(/No rule is certified/));
    expect(await readFile(join(models, 'shouting', 'manifest.json'), 'utf8')).toBe(before);
  });

  it('records a table that the service then serves by default', async () => {
    const args = ['--scale', '1', '--count', '2000', '--together', '100', '--repeats', '1'];
    const report = JSON.parse(await calibrate('shouting', ...args, '--record', '--json')) as {
      calibration: NonNullable<Manifest['calibration']>;
      gain: Pick<AdaptivityGain, 'tolerance' | 'gain' | 'reference' | 'policy'>[];
    };
    const { calibration } = await manifestOf();
    expect(calibration).toEqual(report.calibration);
    expect(calibration).toMatchObject({ unit: 'dB', default: 0.2 });
    expect(calibration!.rows.map(({ tolerance }) => tolerance)).toEqual([0.05, 0.1, 0.2, 0.5]);
    for (const row of calibration!.rows) {
      expect(row).toMatchObject({ guaranteed: true, n: 2000 });
      expect(row.bound).toBeGreaterThan(0.95);
      expect(row.threshold).toBeGreaterThan(0);
      expect(row.threshold).toBeLessThan(1);
      expect(row.mean_depth).toBeGreaterThan(1);
      expect(row.mean_depth).toBeLessThan(2);
    }
    expect(report.gain.map(({ tolerance }) => tolerance)).toEqual([0.05, 0.1, 0.2, 0.5]);
    const { gain, reference, policy } = report.gain[1]!;
    expect(gain!.value).toBeCloseTo(reference!.figures.ms / policy!.figures.ms, 6);
    expect(policy!.figures.meanDepth).toBeLessThan(reference!.figures.meanDepth);

    const service = await startSmallService({ modelsDir: models });
    const recover = (value: number, query = '') =>
      service.app.inject({
        method: 'POST',
        url: `/v1/recover${query}`,
        headers: { 'content-type': 'application/octet-stream' },
        payload: Buffer.from(new Float32Array(12).fill(value).buffer),
      });
    const loud = (await recover(1)).headers;
    expect(loud).toMatchObject({ 'x-tolerance': '0.2', 'x-guaranteed': 'true' });
    expect(loud['x-stop-depth']).toBe('1');
    expect((await recover(0.1)).headers).toMatchObject({
      'x-tolerance': '0.2',
      'x-stop-depth': '2',
    });
    expect((await recover(1, '?tolerance=0.3')).headers['x-tolerance']).toBe('0.2');
    await service.close();
  });

  it('says which bundle, flag or data to change', async () => {
    await expect(calibrate()).rejects.toThrow(/Say which bundle; there are shouting, small-gray/);
    await expect(calibrate('other')).rejects.toThrow(/no model other in .*shouting, small-gray/);
    await expect(calibrate('small-gray')).rejects.toThrow(/--data DIR/);
    await expect(calibrate('shouting', '--queries', '3')).rejects.toThrow(
      /--queries is not a flag of sparse-recovery/,
    );
    await expect(calibrate('shouting', '--count', '2.5')).rejects.toThrow(/--count/);
    await expect(calibrate('shouting', '--scale', '0')).rejects.toThrow(/--scale/);
  });
});
