/** Exports both networks with PyTorch, serves them, and compares with PyTorch at every exit. Skipped where there is no PyTorch. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSmallService, type SmallService } from '../server/support.ts';
import { expectSameExits, python, readReference } from './pytorch.ts';

describe.skipIf(!python)('a network exported from PyTorch', () => {
  const models = mkdtempSync(join(tmpdir(), 'stopwise-'));
  const references = new Map<string, ReturnType<typeof readReference>>();
  let service: SmallService;
  beforeAll(async () => {
    for (const name of ['cnn', 'ista']) {
      const file = join(models, `${name}.json`);
      const script = 'examples/export-from-pytorch.py';
      execFileSync(python!, [script, name, join(models, name), '--reference', file], {
        stdio: 'pipe',
      });
      references.set(name, readReference(file));
    }
    service = await startSmallService({ modelsDir: models });
  }, 120_000);
  afterAll(() => service?.close());

  it.each(['cnn', 'ista'])('%s answers as PyTorch does, to 1e-4 at each exit', async (name) => {
    const reference = references.get(name)!;
    expect(Object.keys(reference.exits)).toHaveLength(3);
    await expectSameExits(service, name, reference);
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
