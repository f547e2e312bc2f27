import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../../src/engine/engine.ts';
import type { EngineOptions } from '../../../src/engine/pool.ts';
import type { Sample } from '../../../src/engine/types.ts';
import { Random } from '../../../src/data/random.ts';
import { expectClose } from '../../graph/check.ts';
import { startSmallEngine, writeModels } from '../../support/small.ts';

const fragile = new URL('../../support/fragile-worker.mjs', import.meta.url);
const random = new Random(4);
const draw = (length: number): Float32Array => Float32Array.from({ length }, random.normal);

async function using(
  options: Partial<EngineOptions>,
  work: (engine: Engine, said: string[]) => Promise<void>,
): Promise<void> {
  const said: string[] = [];
  const engine = await startSmallEngine({ log: (message) => said.push(message), ...options });
  try {
    await work(engine, said);
  } finally {
    await engine.close();
  }
}

const ask = async (engine: Engine, task: string, body = ''): Promise<string> => {
  const { answer } = await engine.perform(() => ({
    request: { task, body: Buffer.from(body) },
    transfer: [],
  }));
  return new TextDecoder().decode(answer.body);
};

describe('workers as child processes', () => {
  it('give the answers of threads', async () => {
    const modelsDir = await writeModels();
    const samples: Sample[] = Array.from({ length: 5 }, () => ({
      measurements: { data: draw(12), dims: [12] },
    }));
    const image: Sample = { image: { data: draw(3 * 16 * 12), dims: [3, 16, 12] } };
    await using({ modelsDir }, (threads) =>
      using({ modelsDir, isolation: 'process', workers: 2 }, async (processes) => {
        expect(processes.workers).toBe(2);
        for (const [name, list] of [
          ['small-recovery', samples],
          ['small-color', [image]],
        ] as const) {
          const [a, b] = [await threads.run(name, list), await processes.run(name, list)];
          b.samples.forEach(({ depth, reason, pi, outputs }, i) => {
            const other = a.samples[i]!;
            expect({ depth, reason }).toEqual({ depth: other.depth, reason: other.reason });
            expectClose(pi, other.pi, 1e-5);
            for (const [output, { data }] of Object.entries(outputs))
              expectClose(data, other.outputs[output]!.data, 1e-5);
          });
        }
      }),
    );
  });

  it('survive a native abort: what the process held is asked again, once, and another takes its place', async () => {
    const modelsDir = await writeModels();
    await using({ modelsDir, entry: fragile, isolation: 'process' }, async (engine, said) => {
      const answers = await Promise.all([
        ask(engine, 'fine'),
        ask(engine, 'once', join(modelsDir, 'seen')),
        ask(engine, 'fine'),
      ]);
      expect(answers).toEqual(['answered', 'answered', 'answered']);
      expect(said.join('\n')).toMatch(
        /a worker ended \(killed by SIGABRT\); restarting it\nthe worker was restarted/,
      );
      await expect(ask(engine, 'abort')).rejects.toThrow(/two workers ended during it/);
      expect(await ask(engine, 'fine')).toBe('answered');
      expect(engine.pending).toBe(0);
    });
  }, 30_000);

  it('that cannot be started end the start, and are tried again later', async () => {
    const modelsDir = await writeModels();
    const { execPath } = process;
    try {
      await using({ modelsDir, entry: fragile, isolation: 'process' }, async (engine, said) => {
        process.execPath = '/nowhere/node';
        await expect(
          startSmallEngine({ modelsDir, entry: fragile, isolation: 'process' }),
        ).rejects.toThrow(/could not start: .*ENOENT/);
        const aborted = ask(engine, 'once', join(modelsDir, 'seen'));
        while (!said.some((line) => /could not start/.test(line)))
          await new Promise((resolve) => setTimeout(resolve, 5));
        expect(engine.workers).toBe(0);
        process.execPath = execPath;
        expect(await aborted).toBe('answered');
        expect(engine.workers).toBe(1);
      });
    } finally {
      process.execPath = execPath;
    }
  }, 30_000);

  it('take a request that comes while the only one is being started again', async () => {
    const modelsDir = await writeModels();
    await using({ modelsDir, entry: fragile, isolation: 'process' }, async (engine) => {
      const aborted = ask(engine, 'abort').catch((error: unknown) => (error as Error).message);
      while (engine.workers > 0) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(await ask(engine, 'fine')).toBe('answered');
      expect(await aborted).toMatch(/two workers ended/);
      expect(await ask(engine, 'fine')).toBe('answered');
    });
  }, 30_000);
});
