/** Gain of batching: many samples in one request, and samples of many requests batched by the engine. */
import { Engine } from '../../src/engine/engine.ts';
import { matrixOf } from '../../src/tasks/sparse-recovery/matrix-file.ts';
import { workerEntry } from '../../src/tasks/worker-entry.ts';
import { defaultBundle, mixedMeasurements } from './material.ts';
import { alternate, fewer, round, type Bench, type BenchOptions, type Row } from './row.ts';
import { startService } from './service.ts';
import { DEFAULT_MAX_PIXELS } from '../../src/config.ts';

const SAMPLES = 64;

export const batching: Bench = {
  name: 'batching',
  about:
    'Recovery: 64 samples in one request against 64 requests over HTTP; regrouping on against off with 64 concurrent callers.',
  run: async (options) => [await requests(options), ...(await regrouping(options))],
};

async function requests({ modelsDir, quick }: BenchOptions): Promise<Row> {
  const { manifest } = await defaultBundle(modelsDir, 'sparse-recovery');
  const matrix = await matrixOf(manifest, modelsDir);
  const all = Buffer.from(mixedMeasurements(matrix, SAMPLES).buffer);
  const service = await startService(modelsDir, { WORKERS: '1' });
  try {
    const send = async (body: Buffer): Promise<void> => {
      const answer = await fetch(`${service.url}/v1/recover`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: new Uint8Array(body),
      });
      await answer.arrayBuffer();
      if (!answer.ok) throw new Error(`The service answered ${answer.status}.`);
    };
    const bytes = 4 * matrix.rows;
    const time = await alternate(
      () => send(all),
      async () => {
        for (let i = 0; i < SAMPLES; i++) await send(all.subarray(i * bytes, (i + 1) * bytes));
      },
      fewer(15, quick),
    );
    const what = `${SAMPLES} samples in one request against ${SAMPLES} requests: samples a second`;
    return {
      benchmark: 'batching',
      what,
      value: round(time.second / time.first),
      unit: '×',
      target: '≥ 5',
    };
  } finally {
    await service.close();
  }
}

/** Concurrent callers that each send one sample at a time. */
async function regrouping({ modelsDir, quick }: BenchOptions): Promise<Row[]> {
  const { manifest } = await defaultBundle(modelsDir, 'sparse-recovery');
  const matrix = await matrixOf(manifest, modelsDir);
  const measurements = mixedMeasurements(matrix, SAMPLES);
  const start = (regroup: boolean): Promise<Engine> =>
    Engine.start({
      modelsDir,
      only: [manifest.name],
      entry: workerEntry,
      settings: { maxPixels: DEFAULT_MAX_PIXELS },
      provider: 'cpu',
      workers: 1,
      shed: false,
      regroup,
    });
  const engines = { on: await start(true), off: await start(false) };
  const latencies: Record<keyof typeof engines, number[]> = { on: [], off: [] };
  const each = fewer(30, quick);
  const concurrentCallers = (side: keyof typeof engines) => async (): Promise<void> => {
    const caller = async (i: number): Promise<void> => {
      const data = measurements.slice(i * matrix.rows, (i + 1) * matrix.rows);
      for (let k = 0; k < each; k++) {
        const begin = performance.now();
        await engines[side].run(manifest.name, [{ measurements: { data, dims: [matrix.rows] } }]);
        latencies[side].push(performance.now() - begin);
      }
    };
    await Promise.all(Array.from({ length: SAMPLES }, (_, i) => caller(i)));
  };
  const time = await alternate(concurrentCallers('on'), concurrentCallers('off'), fewer(3, quick));
  await Promise.all(Object.values(engines).map((engine) => engine.close()));
  const p99 = (values: number[]): number =>
    values.sort((a, b) => a - b)[Math.floor(0.99 * values.length)]!;
  const what = `${SAMPLES} callers of one sample, regrouping on against off`;
  return [
    {
      benchmark: 'batching',
      what: `${what}: samples a second`,
      value: round(time.second / time.first),
      unit: '×',
      target: '≥ 4',
    },
    {
      benchmark: 'batching',
      what: `${what}: p99 latency`,
      value: round(p99(latencies.on) / p99(latencies.off)),
      unit: '×',
      target: '≤ 1',
    },
  ];
}
