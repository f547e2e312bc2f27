/** Exports both networks with PyTorch, serves them, and compares with PyTorch at every exit. Skipped where there is no PyTorch. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { bundleCommand } from '../../src/commands/bundle.ts';
import { startSmallService, type SmallService } from '../server/support.ts';
import { readNpy } from '../../src/codecs/npy.ts';
import { dynamoPython, expectSameExits, python, readReference } from './pytorch.ts';

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
  }, 240_000);
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

describe.skipIf(!dynamoPython)('a network exported by torch.export', () => {
  const models = mkdtempSync(join(tmpdir(), 'stopwise-'));
  const script = 'examples/export-from-pytorch.py';
  let service: SmallService;
  beforeAll(async () => {
    for (const name of ['cnn', 'ista']) {
      const reference = ['--reference', join(models, `${name}.json`)];
      execFileSync(dynamoPython!, [script, name, join(models, name), '--dynamo', ...reference], {
        stdio: 'pipe',
      });
    }
    service = await startSmallService({ modelsDir: models });
  }, 240_000);
  afterAll(async () => {
    await service?.close();
    rmSync(models, { recursive: true });
  });

  it.each(['cnn', 'ista'])('%s is from torch.export and passes the check', async (name) => {
    const file = join(models, name, name === 'cnn' ? 'layer-01.onnx' : 'layer-02.onnx');
    // The older exporter names none of its values after torch.export's metadata.
    expect(readFileSync(file).includes('pkg.torch.onnx')).toBe(true);
    vi.spyOn(console, 'log').mockReturnValue();
    await bundleCommand(['check', join(models, name)]);
    vi.restoreAllMocks();
  });

  it.each(['cnn', 'ista'])('%s answers as PyTorch does, to 1e-4 at each exit', async (name) => {
    const reference = readReference(join(models, `${name}.json`));
    expect(Object.keys(reference.exits)).toHaveLength(3);
    await expectSameExits(service, name, reference);
  });
});

/** Writes files as those of CIFAR-100 for Python: 300 and 100 images of two classes, dark and bright. */
const CIFAR = `
import numpy, pickle, sys
random = numpy.random.default_rng(1)
for part, n in [("train", 300), ("test", 100)]:
    labels = [7 if i % 2 else 70 for i in range(n)]
    low = numpy.array([180 if label == 7 else 0 for label in labels])[:, None]
    data = (random.integers(0, 75, (n, 3072)) + low).astype("uint8")
    with open(sys.argv[1] + "/" + part, "wb") as file:
        pickle.dump({"data": data, "fine_labels": labels}, file)
`;

describe.skipIf(!python)('the CNN trained on files of CIFAR-100', () => {
  const models = mkdtempSync(join(tmpdir(), 'stopwise-'));
  const data = mkdtempSync(join(tmpdir(), 'cifar-'));
  let said: string;
  let again: string;
  let service: SmallService;
  beforeAll(async () => {
    execFileSync(python!, ['-c', CIFAR, data], { stdio: 'pipe' });
    const script = 'examples/export-from-pytorch.py';
    const files = ['--samples', data, '--reference', join(models, 'cnn.json')];
    const train = ['--data', data, '--epochs', '8', '--weights', join(data, 'weights.pt')];
    const run = (name: string, ...more: string[]) =>
      execFileSync(python!, [script, 'cnn', join(models, name), ...train, ...more], {
        stdio: 'pipe',
      }).toString();
    said = run('cnn', ...files);
    again = run('again');
    service = await startSmallService({ modelsDir: models });
  }, 240_000);
  afterAll(async () => {
    await service?.close();
    for (const folder of [models, data]) rmSync(folder, { recursive: true });
  });
  const array = (name: string) => readNpy(readFileSync(join(data, `${name}.npy`)));

  it('has learnt the classes, and answers as PyTorch does', async () => {
    expect(said).toMatch(/exit by exit: .*100\.0%$/m);
    await expectSameExits(service, 'cnn', readReference(join(models, 'cnn.json')));
  });

  it('reads the weights that it has written', () => {
    expect(said).toMatch(/^epoch 8 of 8/m);
    expect(again).not.toMatch(/epoch/);
    expect(again.split('\n')[0]).toBe(said.split('\n').find((line) => line.startsWith('accuracy')));
    const graph = (name: string) => readFileSync(join(models, name, 'layer-03.onnx'));
    expect(graph('again').equals(graph('cnn'))).toBe(true);
  });

  it('writes what training left out, and the test set', () => {
    expect(array('image').shape).toEqual([30, 3, 32, 32]);
    expect(array('target').shape).toEqual([30]);
    expect(array('test-image').shape).toEqual([100, 3, 32, 32]);
    expect([...array('test-target').data].map(Number).slice(0, 2)).toEqual([70, 7]);
  });

  it('gives the class of every test image', async () => {
    const { data: pixels } = array('test-image');
    const rows = Array.from({ length: 4 }, (_, i) =>
      Array.from(pixels.subarray(i * 3072, (i + 1) * 3072), Number),
    );
    const image = rows.map((row) =>
      [0, 1, 2].map((c) =>
        Array.from({ length: 32 }, (_, y) => row.slice(c * 1024 + y * 32, c * 1024 + y * 32 + 32)),
      ),
    );
    const payload = { inputs: { image } };
    const url = '/v1/tensor?model=cnn&rule=fixed&depth=3';
    const response = await service.app.inject({ method: 'POST', url, payload });
    const { logits } = response.json<{ outputs: { logits: number[][] } }>().outputs;
    expect(logits.map((row) => row.indexOf(Math.max(...row)))).toEqual([70, 7, 70, 7]);
  });
});
