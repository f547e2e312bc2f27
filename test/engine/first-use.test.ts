import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { declaredPorts } from '../../src/bundle/onnx-ports.ts';
import { checksum } from '../../src/bundle/read.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { Session } from '../../src/runtime/session.ts';
import { smallModels, startSmallEngine, writeModels } from '../support/small.ts';

const sample = { measurements: { data: Float32Array.from({ length: 12 }, Math.sin), dims: [12] } };
const full = { rule: 'fixed', depth: 5 } as const;
const log: string[] = [];
let modelsDir: string;
let engine: Engine;

/** Replaces a file of a bundle, with the checksum in its manifest. */
async function replace(bundle: string, name: string, bytes: Uint8Array): Promise<void> {
  const file = join(modelsDir, bundle, 'manifest.json');
  const manifest = JSON.parse(await readFile(file, 'utf8')) as { files: Record<string, object> };
  manifest.files[name] = { sha256: checksum(bytes), bytes: bytes.length };
  await writeFile(file, JSON.stringify(manifest));
  await writeFile(join(modelsDir, bundle, name), bytes);
}

/** The default for recovery and others that no request means unless it names them, two of them broken. */
beforeAll(async () => {
  const recovery = smallModels()[0]!;
  const other = (name: string) => ({ ...recovery, name, change: { default: false } });
  modelsDir = await writeModels([recovery, ...['sound', 'odd', 'wide', 'changed'].map(other)]);
  // Its ports are those of the manifest, but no ONNX Runtime has such an operator.
  const odd = await readFile(join(modelsDir, 'odd', 'layer-05.onnx'));
  expect(odd.includes('MatMul')).toBe(true);
  odd.write('Xat', odd.indexOf('MatMul'));
  await replace('odd', 'layer-05.onnx', odd);
  await replace('wide', 'layer-05.onnx', await readFile(join(modelsDir, 'wide', 'layer-01.onnx')));
  engine = await startSmallEngine({
    modelsDir,
    openOnFirstUse: true,
    log: (line) => log.push(line),
  });
});
afterAll(() => engine.close());

it('a bundle that is not a default is opened by its first request, and answers as one opened at start', async () => {
  const first = await engine.run('small-recovery', [sample], full);
  const second = await engine.run('sound', [sample], full);
  expect(second.model).toBe('sound');
  expect(second.samples[0]!.outputs.signal).toEqual(first.samples[0]!.outputs.signal);
});

it('ports are checked at start, before anything is opened', () => {
  expect(engine.refused.map(({ name }) => name)).toContain('wide');
  const { reason } = engine.refused.find(({ name }) => name === 'wide')!;
  expect(reason).toMatch(/layer-05\.onnx has/);
  expect([...engine.manifests.keys()].sort()).toEqual([
    'changed',
    'odd',
    'small-recovery',
    'sound',
  ]);
});

it('a bundle that cannot be opened answers bundle-refused, every time, and is listed as refused', async () => {
  const names = (): string[] => engine.refused.map(({ name }) => name);
  expect(names()).not.toContain('odd');
  for (let i = 0; i < 2; i++)
    await expect(engine.run('odd', [sample], full)).rejects.toMatchObject({
      code: 'bundle-refused',
      status: 503,
    });
  expect(names().filter((name) => name === 'odd')).toHaveLength(1);
  expect(log.filter((line) => line.includes('odd is refused'))).toHaveLength(1);
  expect((await engine.run('small-recovery', [sample], full)).samples[0]!.depth).toBe(5);
});

it('a file that has changed since the start is not opened', async () => {
  const file = join(modelsDir, 'changed', 'weights.safetensors');
  const bytes = await readFile(file);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(file, bytes);
  await expect(engine.run('changed', [sample], full)).rejects.toMatchObject({
    code: 'bundle-refused',
  });
  const { reason } = engine.refused.find(({ name }) => name === 'changed')!;
  expect(reason).toMatch(/weights\.safetensors does not have the checksum/);
});

it('a client that leaves while its model is opened leaves nothing behind', async () => {
  const controller = new AbortController();
  const run = engine.run('odd', [sample], full, { signal: controller.signal });
  controller.abort();
  await expect(run).rejects.toMatchObject({ code: 'client-closed-request' });
  expect(engine.pending).toBe(0);
});

it('reads the ports that a session reports', async () => {
  for (const name of ['layer-01.onnx', 'layer-05.onnx', 'path.onnx']) {
    const file = join(modelsDir, 'sound', name);
    const { inputs, outputs } = await Session.load(file);
    const sorted = <P extends { readonly name: string }>(ports: readonly P[]): P[] =>
      [...ports].sort((a, b) => (a.name < b.name ? -1 : 1));
    const declared = declaredPorts(await readFile(file));
    expect(sorted(declared.inputs)).toEqual(sorted(inputs));
    expect(sorted(declared.outputs)).toEqual(sorted(outputs));
  }
  const cut = (await readFile(join(modelsDir, 'sound', 'path.onnx'))).subarray(0, 300);
  expect(() => declaredPorts(cut)).toThrow(RangeError);
});
