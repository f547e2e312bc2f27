/** Loading a bundle where workers are processes: one that is restarted serves the present bundles. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import {
  livelyWeights,
  smallLista,
  smallModels,
  startSmallEngine,
  writeModels,
} from '../support/small.ts';

const data = new Float32Array(12);
new Random(4).fillNormal(data, 1);
const sample = { measurements: { data, dims: [12] } };
const full = { rule: 'fixed', depth: 5 } as const;
const childrenOf = (pid: number): number[] =>
  execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(pid)], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes('dist/tasks/worker.js'))
    .map((line) => Number(line.trim().split(' ')[0]));

it('a restarted process serves what was loaded, and not what was unloaded', async () => {
  const recovery = smallModels()[0]!;
  const other = { ...recovery, name: 'other', change: { default: false } };
  const modelsDir = await writeModels([recovery, other]);
  const said: string[] = [];
  const engine = await startSmallEngine({
    modelsDir,
    isolation: 'process',
    workers: 1,
    log: (line) => said.push(line),
  });
  try {
    const before = (await engine.run('small-recovery', [sample], full)).samples[0]!.outputs;
    const weights = livelyWeights(smallLista());
    for (const data of weights.values()) data.forEach((value, i) => (data[i] = value * 1.1));
    const next = await writeModels([{ ...recovery, weights, change: { version: '2' } }]);
    const old = await mkdtemp(join(tmpdir(), 'stopwise-old-'));
    await rename(join(modelsDir, 'small-recovery'), join(old, 'small-recovery'));
    await rename(join(next, 'small-recovery'), join(modelsDir, 'small-recovery'));
    await engine.repository.load('small-recovery');
    await engine.repository.unload('other');
    const after = (await engine.run('small-recovery', [sample], full)).samples[0]!.outputs;
    expect(after).not.toEqual(before);
    const [worker] = childrenOf(process.pid);
    process.kill(worker!, 'SIGKILL');
    await expect
      .poll(() => said.filter((line) => line === 'the worker was restarted').length, {
        timeout: 30_000,
      })
      .toBe(1);
    const { signal } = (await engine.run('small-recovery', [sample], full)).samples[0]!.outputs;
    signal!.data.forEach((value, i) => expect(value).toBeCloseTo(after.signal!.data[i]!, 4));
    await expect(engine.run('other', [sample], full)).rejects.toMatchObject({
      code: 'unknown-model',
    });
  } finally {
    await engine.close();
  }
}, 120_000);
