import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { npmRun } from '../run.ts';
import { reproduceWith } from './run.ts';

it('npm run reproduce -- --help lists tasks, parts and flags', async () => {
  const { code, out } = await npmRun('reproduce', '--help');
  expect(code).toBe(0);
  expect(out).toMatch(/^npm run reproduce -- TASK/);
  for (const text of ['  sparse-recovery\n', '    natural-images  Compressed', '  --quick'])
    expect(out).toContain(text);
}, 120_000);

it('npm run reproduce ends with an exit code of 1 and one message, without a stack', async () => {
  const { code, out, err } = await npmRun('reproduce', 'dreaming');
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toMatch(/nothing to reproduce for dreaming/);
  expect(err).not.toMatch(/\n\s+at /);
}, 120_000);

describe('a part that cannot be measured says what to change', () => {
  it.each<[string, RegExp, string[]]>([
    ['no task', /Name the task to reproduce/, []],
    ['no test images', /denoise needs a folder of clean test images/, ['denoise', 'gray']],
    [
      'no images to learn from',
      /prices needs .*--learn DIR/,
      ['denoise', 'prices', '--data', 'docs/samples'],
    ],
    [
      'no images to train on',
      /shapes needs two folders/,
      ['denoise', 'shapes', '--data', 'docs/samples'],
    ],
    [
      'no images to sense',
      /natural-images needs a folder of clean test images/,
      ['sparse-recovery', 'natural-images'],
    ],
    ['an unknown part', /sparse-recovery has no part speed/, ['sparse-recovery', 'speed']],
    [
      'no such few-shot model',
      /no model nobody for few-shot/,
      ['few-shot', '--model', 'nobody', '--data', 'docs/samples'],
    ],
    [
      'a model where none can be chosen',
      /--model cannot be chosen for denoise/,
      ['denoise', '--model', 'denoise-gray'],
    ],
  ])(
    '%s',
    async (_, says, args) => {
      const out = await mkdtemp(join(tmpdir(), 'stopwise-paper-'));
      await expect(reproduceWith('models', ...args, '--out', out)).rejects.toThrow(says);
    },
    60_000,
  );
});
