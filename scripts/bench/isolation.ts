/** What workers in processes of their own cost, beside threads: messages are copied instead of handed over. */
import { Engine } from '../../src/engine/engine.ts';
import type { Isolation } from '../../src/engine/transport/handle.ts';
import { matrixOf } from '../../src/tasks/sparse-recovery/matrix-file.ts';
import { workerEntry } from '../../src/tasks/worker-entry.ts';
import {
  cleanImages,
  defaultBundle,
  mixedMeasurements,
  noisySquare,
  perform,
  toPng,
} from './material.ts';
import { alternate, fewer, round, type Bench, type Row } from './row.ts';
import { startService } from './service.ts';
import { DEFAULT_MAX_PIXELS } from '../../src/config.ts';

export const isolation: Bench = {
  name: 'isolation',
  about:
    'Workers as child processes against threads: one recovery, one 512×512 image, 64 recoveries at once; the start; memory.',
  async run(options) {
    const { modelsDir, quick } = options;
    const recovery = await defaultBundle(modelsDir, 'sparse-recovery');
    const denoise = await defaultBundle(modelsDir, 'denoise');
    const vector = mixedMeasurements(await matrixOf(recovery.manifest, modelsDir), 1);
    const png = await toPng(noisySquare((await cleanImages(options))[0]!, 512, 35));
    const start = (kind: Isolation): Promise<Engine> =>
      Engine.start({
        modelsDir,
        only: [recovery.manifest.name, denoise.manifest.name],
        entry: workerEntry,
        settings: { maxPixels: DEFAULT_MAX_PIXELS },
        provider: 'cpu',
        workers: 1,
        shed: false,
        isolation: kind,
      });
    const began = performance.now();
    const processes = await start('process');
    const between = performance.now();
    const threads = await start('thread');
    const starts = (between - began) / (performance.now() - between);
    const recover = (engine: Engine) => () =>
      perform(engine, 'sparse-recovery', 'application/octet-stream', new Uint8Array(vector.buffer));
    const concurrentCallers = (engine: Engine) => () =>
      Promise.all(Array.from({ length: 64 }, recover(engine)));
    const image = (engine: Engine) => () => perform(engine, 'denoise', 'image/png', png);
    try {
      const row = async (
        what: string,
        work: (engine: Engine) => () => Promise<unknown>,
        rounds: number,
      ): Promise<Row> => {
        const { first, second } = await alternate(work(processes), work(threads), rounds);
        const detail = `${first.toFixed(1)} and ${second.toFixed(1)} ms`;
        return {
          benchmark: 'isolation',
          what: `${what}, processes over threads`,
          value: round(first / second),
          unit: '×',
          detail,
        };
      };
      return [
        await row('one recovery', recover, fewer(200, quick)),
        await row('64 recoveries at once', concurrentCallers, fewer(20, quick)),
        await row('one image of 512×512', image, fewer(8, quick)),
        {
          benchmark: 'isolation',
          what: 'start of a worker, processes over threads',
          value: round(starts),
          unit: '×',
        },
        ...(process.platform === 'linux' ? [await memory(modelsDir)] : []),
      ];
    } finally {
      await Promise.all([processes.close(), threads.close()]);
    }
  },
};

/** Of the service as it starts with all models, with its default number of workers. */
async function memory(modelsDir: string): Promise<Row> {
  const after = async (kind: Isolation): Promise<number> => {
    const service = await startService(modelsDir, { ISOLATION: kind });
    const bytes = await service.memory();
    await service.close();
    return bytes / 2 ** 20;
  };
  const [processes, threads] = [await after('process'), await after('thread')];
  const detail = `${processes.toFixed(0)} and ${threads.toFixed(0)} MiB`;
  const what = 'resident memory of the service after its start, processes over threads';
  return { benchmark: 'isolation', what, value: round(processes / threads), unit: '×', detail };
}
