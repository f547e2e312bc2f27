import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startSmallEngine, writeModels } from '../support/small.ts';

const entry = new URL('../support/fails-on-second-start.mjs', import.meta.url);

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

it('ends the first worker when the second cannot start', async () => {
  const modelsDir = await writeModels();
  const file = join(modelsDir, 'pid');
  await expect(
    startSmallEngine({ modelsDir, entry, isolation: 'process', workers: 2, settings: { file } }),
  ).rejects.toThrow(/could not start: exit code 1/);
  expect(isAlive(Number(await readFile(file, 'utf8')))).toBe(false);
});
