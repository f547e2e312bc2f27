/**
 * The way of docs/models.md with both networks of the example, exported without policies: policies are trained, stopping is
 * certified, the service answers as PyTorch does at every exit. Skipped where there is no PyTorch.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadBundle } from '../../src/bundle/read.ts';
import { calibrateCommand } from '../../src/commands/calibrate.ts';
import { trainPolicyCommand } from '../../src/commands/train-policy.ts';
import { startSmallService, type SmallService } from '../server/support.ts';
import { expectSameExits, python, readReference } from './pytorch.ts';

const networks = [
  { name: 'cnn', input: 'image', depths: [1, 2, 3], unit: 'points' },
  { name: 'ista', input: 'y', depths: [2, 4, 6], unit: 'dB' },
] as const;

describe.skipIf(!python)('a network without policies, exported from PyTorch', () => {
  const models = mkdtempSync(join(tmpdir(), 'stopwise-'));
  let service: SmallService;
  beforeAll(async () => {
    vi.spyOn(console, 'log').mockReturnValue();
    vi.spyOn(console, 'error').mockReturnValue();
    for (const { name, input } of networks) {
      const samples = join(models, `.${name}`);
      const reference = join(models, `${name}.json`);
      const files = ['--samples', samples, '--reference', reference, '--without-policies'];
      const script = 'examples/export-from-pytorch.py';
      execFileSync(python!, [script, name, join(models, name), ...files], { stdio: 'pipe' });
      const data = [input, 'target'].flatMap((one) => [
        '--data',
        `${one}=${join(samples, `${one}.npy`)}`,
      ]);
      await trainPolicyCommand(['--bundle', join(models, name), ...data, '--steps', '100']);
      const folders = { models, checkpoints: models };
      await calibrateCommand([name, ...data, '--together', '100', '--record'], folders);
    }
    service = await startSmallService({ modelsDir: models });
  }, 240_000);
  afterAll(async () => {
    await service?.close();
    rmSync(models, { recursive: true });
    vi.restoreAllMocks();
  });

  it.each(networks)('$name answers as PyTorch does, to 1e-4 at each exit', async (network) => {
    const { name, depths } = network;
    const reference = readReference(join(models, `${name}.json`));
    expect(Object.keys(reference.exits).map(Number)).toEqual(depths);
    await expectSameExits(service, name, reference);
  });

  it.each(networks)('$name has a certified table and stops by it', async ({ name, unit }) => {
    const { calibration, policy_files } = (await loadBundle(join(models, name))).manifest;
    expect(policy_files).toHaveLength(2);
    expect(calibration).toMatchObject({ unit });
    for (const row of calibration!.rows) expect(row).toMatchObject({ guaranteed: true, n: 2500 });
    const { inputs } = readReference(join(models, `${name}.json`));
    const response = await service.app.inject({
      method: 'POST',
      url: `/v1/tensor?model=${name}`,
      payload: { inputs },
    });
    expect(response.json()).toMatchObject({ tolerance: calibration!.default, guaranteed: true });
  });
});
