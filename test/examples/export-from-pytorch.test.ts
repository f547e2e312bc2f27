/** Exports both networks with PyTorch, serves them, and compares with PyTorch at every exit. Skipped where there is no PyTorch. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSmallService, type SmallService } from '../server/support.ts';

const python = [process.env.TORCH_PYTHON, 'python3', '/usr/bin/python3'].find(
  (one) => one && spawnSync(one, ['-c', 'import torch']).status === 0,
);
if (!python)
  console.warn('export-from-pytorch: skipped, no Python with torch (TORCH_PYTHON names another)');

interface Reference {
  readonly inputs: Record<string, unknown>;
  readonly exits: Record<string, Record<string, number[][]>>;
}

describe.skipIf(!python)('a network exported from PyTorch', () => {
  const models = mkdtempSync(join(tmpdir(), 'stopwise-'));
  const references = new Map<string, Reference>();
  let service: SmallService;
  beforeAll(async () => {
    for (const name of ['cnn', 'ista']) {
      const file = join(models, `${name}.json`);
      const script = 'examples/export-from-pytorch.py';
      execFileSync(python!, [script, name, join(models, name), '--reference', file], {
        stdio: 'pipe',
      });
      references.set(name, JSON.parse(readFileSync(file, 'utf8')) as Reference);
    }
    service = await startSmallService({ modelsDir: models });
  }, 120_000);
  afterAll(() => service?.close());

  it.each(['cnn', 'ista'])('%s answers as PyTorch does, to 1e-4 at each exit', async (name) => {
    const { inputs, exits } = references.get(name)!;
    expect(Object.keys(exits)).toHaveLength(3);
    for (const [depth, expected] of Object.entries(exits)) {
      const response = await service.app.inject({
        method: 'POST',
        url: `/v1/tensor?model=${name}&rule=fixed&depth=${depth}`,
        payload: { inputs },
      });
      expect(response.statusCode, response.body).toBe(200);
      const { outputs } = response.json<{ outputs: Record<string, number[][]> }>();
      for (const [output, values] of Object.entries(expected))
        outputs[output]!.flat().forEach((value, i) =>
          expect(Math.abs(value - values.flat()[i]!)).toBeLessThan(1e-4),
        );
    }
  });

  it('stops by its policy', async () => {
    const { inputs } = references.get('ista')!;
    const depthsAt = async (threshold: number) => {
      const response = await service.app.inject({
        method: 'POST',
        url: `/v1/tensor?model=ista&threshold=${threshold}`,
        payload: { inputs },
      });
      return response.json<{ samples: { depth: number }[] }>().samples.map(({ depth }) => depth);
    };
    expect(await depthsAt(0)).toEqual([2, 2, 2, 2, 2]);
    expect(await depthsAt(1)).toEqual([6, 6, 6, 6, 6]);
  });
});
