/** GPU execution providers against the CPU, and adaptive against full depth on each. */
import { availableParallelism } from 'node:os';
import { unavailableReason } from '../../src/engine/worker/providers.ts';
import type { Sample } from '../../src/engine/types.ts';
import { startEngine } from '../../src/evaluation/measure.ts';
import { matrixOf } from '../../src/tasks/sparse-recovery/matrix-file.ts';
import type { StoppingParameters } from '../../src/stopping/parameters.ts';
import { cleanImages, defaultBundle, mixedMeasurements, noisySquare } from './material.ts';
import { alternate, round, type Bench, type Row } from './row.ts';

const SIDES = [256, 1024];
const SIGMAS = [15, 25, 35, 45, 55];
const SIGNALS = 256;

export const providers: Bench = {
  name: 'providers',
  about:
    'GPU providers against the CPU with all its cores, at full depth, and adaptive depth against full on each.',
  async run(options) {
    const { modelsDir } = options;
    const recovery = await defaultBundle(modelsDir, 'sparse-recovery');
    const denoise = await defaultBundle(modelsDir, 'denoise');
    const clean = (await cleanImages(options))[0]!;
    const images = SIDES.map((side) =>
      SIGMAS.map((sigma): Sample => {
        const { data, channels, height, width } = noisySquare(clean, side, sigma);
        return { image: { data, dims: [channels, height, width] } };
      }),
    );
    const matrix = await matrixOf(recovery.manifest, modelsDir);
    const measured = mixedMeasurements(matrix, SIGNALS);
    const signals = Array.from({ length: SIGNALS }, (_, i): Sample => ({
      measurements: {
        data: measured.slice(i * matrix.rows, (i + 1) * matrix.rows),
        dims: [matrix.rows],
      },
    }));
    const work: [what: string, { name: string; depth: number }, requests: Sample[][]][] = [
      ...SIDES.map((side, i): (typeof work)[number] => [
        `images of ${side}×${side}`,
        denoise.manifest,
        images[i]!.map((image) => [image]),
      ]),
      ['one recovery', recovery.manifest, signals.slice(0, 8).map((signal) => [signal])],
      [`${SIGNALS} recoveries in one request`, recovery.manifest, [signals]],
    ];
    const names = [recovery.manifest.name, denoise.manifest.name];
    const cpu = await startEngine(modelsDir, names, { threads: availableParallelism() });
    const rows: Row[] = [];
    try {
      for (const provider of ['webgpu', 'cuda'] as const) {
        const unavailable = await unavailableReason(provider);
        if (unavailable !== undefined) {
          console.error(`${provider} is not measured: ${unavailable}`);
          continue;
        }
        const gpu = await startEngine(modelsDir, names, { provider });
        try {
          for (const [what, { name, depth }, requests] of work) {
            const pass =
              (engine: typeof gpu, stopping: StoppingParameters) => async (): Promise<void> => {
                for (const request of requests) await engine.run(name, request, stopping);
              };
            const full: StoppingParameters = { rule: 'fixed', depth };
            const cpuOverGpu = await alternate(pass(cpu, full), pass(gpu, full), 5);
            const adaptive = await alternate(pass(gpu, {}), pass(gpu, full), 5);
            const row = (said: string, value: number): Row => ({
              benchmark: 'providers',
              what: `${what}: ${said}`,
              value: round(value),
              unit: '×',
            });
            rows.push(
              row(
                `time, ${availableParallelism()} cores over ${provider}`,
                cpuOverGpu.first / cpuOverGpu.second,
              ),
              row(`time on ${provider}, adaptive over full`, adaptive.first / adaptive.second),
            );
          }
        } finally {
          await gpu.close();
        }
      }
    } finally {
      await cpu.close();
    }
    return rows;
  },
};
