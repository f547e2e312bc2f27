import { expect, it } from 'vitest';
import { npmRun } from '../run.ts';

it('npm run bench -- --help lists the benchmarks', async () => {
  const { code, out } = await npmRun('bench', '--help');
  expect(code).toBe(0);
  expect(out).toMatch(/^npm run bench \[-- NAME …\]/);
  for (const name of ['depth', 'engine', 'batching', 'under-load', 'sizing', 'training-step'])
    expect(out).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
}, 120_000);

it('npm run bench refuses an unknown benchmark', async () => {
  const { code, out, err } = await npmRun('bench', 'sprint');
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toMatch(/no benchmark sprint/);
  expect(err).not.toMatch(/\n\s+at /);
}, 120_000);
