/** Shadow runs: calibrated on one traffic, told of it, then of another. */
import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { Manifest } from '../../src/bundle/manifest.ts';
import { writeManifest } from '../../src/bundle/write.ts';
import { SignalSampler, type Matrix } from '../../src/data/sparse-recovery.ts';
import { calibrationReport } from '../../src/evaluation/calibration-table.ts';
import { nmse } from '../../src/evaluation/metrics.ts';
import { randomOf, type Part, type Traffic } from '../../src/evaluation/traffic.ts';
import { traceTraffic } from '../../src/evaluation/trace-traffic.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { SegmentRun, ShadowReport } from '../../src/engine/transport/messages.ts';
import { Metrics } from '../../src/server/metrics.ts';
import { matrixOf } from '../../src/tasks/sparse-recovery/matrix-file.ts';
import { startSmallEngine } from '../support/small.ts';

const NAME = 'sparse-recovery';
const easy = { sparsity: 0.02, snr: 40 };
const hard = { sparsity: 0.2, snr: 60 };
let modelsDir: string;
let matrix: Matrix;
let manifest: Manifest;

const traffic = (part: Part, { sparsity, snr }: typeof easy): Traffic => ({
  part,
  draw: (i) => {
    const options = { sparsity, snr: [snr], scale: 1 };
    const batch = new SignalSampler(matrix, randomOf(part, 5, i), 1, options).next();
    return Promise.resolve({
      kind: 'all',
      // Two requests of one source count as one unit, of which a hundred are enough for a certificate.
      source: `${part} ${Math.floor(i / 2)}`,
      sample: { measurements: { data: batch.measurements, dims: [matrix.rows] } },
      truth: batch.signals,
    });
  },
});

/** An engine that shadows every request, and what it reports. */
async function shadowing(): Promise<{
  engine: Engine;
  metrics: Metrics;
  reports: ShadowReport[];
  layers: SegmentRun['layer'][];
}> {
  const metrics = new Metrics('0');
  const reports: ShadowReport[] = [];
  const layers: SegmentRun['layer'][] = [];
  const shadow = (report: ShadowReport): void => {
    reports.push(report);
    metrics.shadow(report);
  };
  const engine = await startSmallEngine(
    { modelsDir, shadowShare: 1 },
    { shadow, segment: ({ layer }) => layers.push(layer) },
  );
  return { engine, metrics, reports, layers };
}

const send = async (engine: Engine, of: typeof easy, count: number): Promise<void> => {
  for (let i = 0; i < count; i++) {
    const { sample } = await traffic('test', of).draw(i);
    await engine.run(NAME, [sample]);
  }
};

/** The value of the drift test, as Prometheus sees it. */
async function pValue(metrics: Metrics): Promise<number> {
  const { text } = await metrics.render();
  return Number(/^stopwise_shadow_p_value\{.*\} (.*)$/m.exec(text)?.[1]);
}

beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'stopwise-'));
  await cp(join('models', NAME), join(modelsDir, NAME), { recursive: true });
  const engine = await startSmallEngine({ modelsDir, regroup: false });
  manifest = engine.manifests.get(NAME)!;
  matrix = await matrixOf(manifest, modelsDir);
  const metric = { ...nmse, tolerances: [10], defaultTolerance: 10 };
  const traced = (part: Part, count: number) =>
    traceTraffic(engine, manifest, traffic(part, easy), count, metric, {
      repeats: 1,
      together: 20,
    });
  const parts = {
    selection: await traced('selection', 60),
    certification: await traced('certification', 200),
  };
  const { calibration } = calibrationReport(parts, metric, manifest, 'easy signals');
  expect(calibration.rows[0]).toMatchObject({ guaranteed: true });
  expect(calibration.shadow_distance).toBeGreaterThan(0);
  manifest = { ...manifest, calibration };
  await writeManifest(join(modelsDir, NAME), manifest);
  await engine.close();
}, 120_000);

it('stay quiet on the traffic of the calibration, and raise the alarm on another', async () => {
  const { engine, metrics, reports } = await shadowing();
  await send(engine, easy, 60);
  await expect.poll(() => reports.length, { timeout: 20_000 }).toBe(60);
  expect(await pValue(metrics)).toBeGreaterThan(0.001);
  await send(engine, hard, 40);
  await expect.poll(() => reports.length, { timeout: 20_000 }).toBeGreaterThan(60);
  await expect.poll(() => pValue(metrics), { timeout: 20_000 }).toBeLessThan(1e-4);
  await engine.close();
}, 60_000);

it('count in no other metric', async () => {
  const { engine, reports, layers } = await shadowing();
  const { sample } = await traffic('test', easy).draw(0);
  const samples = Array.from({ length: 60 }, () => sample);
  const { samples: results } = await engine.run(NAME, samples);
  expect(new Set(results.map(({ depth }) => depth))).toEqual(new Set([8]));
  await expect.poll(() => reports.length, { timeout: 20_000 }).toBe(1);
  expect(reports[0]!.distance).toBeGreaterThan(0);
  await engine.close();
  expect(new Set(layers)).toEqual(new Set([8]));
}, 60_000);

it('run only for answers of the certified rule', async () => {
  const { engine, reports } = await shadowing();
  const { sample } = await traffic('test', easy).draw(0);
  await engine.run(NAME, [sample], { rule: 'fixed', depth: 8 });
  await engine.run(NAME, [sample], { rule: 'threshold', threshold: 0.1 });
  await engine.run(NAME, [sample]);
  await expect.poll(() => reports.length, { timeout: 20_000 }).toBe(1);
  await engine.close();
}, 60_000);
