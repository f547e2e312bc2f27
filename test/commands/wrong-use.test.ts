/** What commands answer to help and to what they cannot do. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeModels } from '../support/small.ts';
import { commandIn, prepareFolder } from './support.ts';

let place: string;
beforeAll(async () => {
  place = await prepareFolder();
  await cp(await writeModels(), join(place, 'models'), { recursive: true });
});
const command = (...args: string[]) => commandIn(place, ...args);

it.each(['train', 'evaluate'])('%s --help says how it is used', async (name) => {
  const { code, out } = await command(name, '--help');
  expect(code).toBe(0);
  expect(out).toMatch(new RegExp(`^npm run ${name}`));
});

describe('a command that cannot work says what to change before it begins', () => {
  it.each<[string, RegExp, string[]]>([
    ['no task', /Say what to train/, ['train']],
    ['an unknown task', /no training for dreaming/, ['train', 'dreaming']],
    ['an unknown flag', /--speed/, ['train', 'sparse-recovery', '--speed', '9']],
    [
      'an unknown form',
      /--form must be one of vamp, coupled, published/,
      ['train', 'sparse-recovery', '--form', 'best'],
    ],
    [
      'an unknown provider',
      /--provider must be one of cpu, webgpu, cuda, not gpu/,
      ['train', 'sparse-recovery', '--provider', 'gpu'],
    ],
    [
      'a matrix that is not there',
      /no file B\.npy/,
      ['train', 'sparse-recovery', '--matrix', 'B.npy'],
    ],
    [
      'a matrix of three dimensions',
      /shape is \(2, 2, 2\), not \(m, n\)/,
      ['train', 'sparse-recovery', '--matrix', 'cube.npy'],
    ],
    ['a matrix with holes', /not finite/, ['train', 'sparse-recovery', '--matrix', 'nan.npy']],
    [
      'a file that is no matrix',
      /words\.npy is not a matrix/,
      ['train', 'sparse-recovery', '--matrix', 'words.npy'],
    ],
    [
      'signals that do not fit the matrix',
      /nan\.npy is not a list of signals.*\(2, 2\), not \(count, 20\)/,
      ['train', 'sparse-recovery', '--matrix', 'A.npy', '--data', 'nan.npy'],
    ],
    [
      'signals with holes',
      /holes\.npy.*not finite/,
      ['train', 'sparse-recovery', '--matrix', 'A.npy', '--data', 'holes.npy'],
    ],
    [
      'signals that are not there',
      /no file S\.npy/,
      ['train', 'sparse-recovery', '--matrix', 'A.npy', '--data', 'S.npy'],
    ],
    [
      'other signals that do not fit',
      /cube\.npy.*\(2, 2, 2\), not/,
      [
        'train',
        'sparse-recovery',
        '--matrix',
        'A.npy',
        '--data',
        'signals.npy',
        '--validate',
        'cube.npy',
      ],
    ],
    [
      'one signal',
      /One signal is too few/,
      ['train', 'sparse-recovery', '--matrix', 'A.npy', '--data', 'one-signal.npy'],
    ],
    [
      'an unknown key',
      /odd\.json has no stepsize/,
      ['train', 'sparse-recovery', '--config', 'odd.json'],
    ],
    [
      'a configuration that is no JSON',
      /words\.npy is not JSON/,
      ['train', 'sparse-recovery', '--config', 'words.npy'],
    ],
    [
      'no checkpoint to go on from',
      /checkpoint/,
      ['train', 'sparse-recovery', '--resume', '--name', 'nothing'],
    ],
    [
      'no bundle to start from',
      /nothing-here/,
      ['train', 'sparse-recovery', '--from', 'nothing-here'],
    ],
    [
      'minutes that are none',
      /--minutes must be a positive number/,
      ['train', 'sparse-recovery', '--minutes', '0'],
    ],
    ['no folder', /needs a folder/, ['train', 'denoise']],
    ['a folder that is not there', /no folder nowhere/, ['train', 'denoise', '--data', 'nowhere']],
    ['an empty folder', /empty holds no image/, ['train', 'denoise', '--data', 'empty']],
    ['a file that is no image', /a\.png cannot be read/, ['train', 'denoise', '--data', 'broken']],
    [
      'images smaller than a patch',
      /at least 64×64/,
      ['train', 'denoise', '--data', 'images', '--name', 'small-images'],
    ],
    ['no class folders', /few-shot needs a folder/, ['train', 'few-shot']],
    [
      'an order that is none',
      /order in third\.json must be "first" or "second", not "third"/,
      ['train', 'few-shot', '--data', 'classes', '--config', 'third.json'],
    ],
    [
      'class folders that are not there',
      /no folder nowhere/,
      ['train', 'few-shot', '--data', 'nowhere'],
    ],
    [
      'fewer classes than a task has',
      /has 5 classes; training and the measurement need 4 each/,
      ['train', 'few-shot', '--data', 'classes', '--ways', '4'],
    ],
    [
      'no class folders to recognise',
      /recognize needs a folder with one folder/,
      ['train', 'recognize'],
    ],
    ['images without classes', /holds images itself/, ['train', 'recognize', '--data', 'images']],
    [
      'ways that are none',
      /--ways must be a positive number/,
      ['train', 'few-shot', '--data', 'classes', '--ways', 'all'],
    ],
    ['nothing to evaluate', /Say which task/, ['evaluate']],
    [
      'a model that is not there',
      /There is no model nobody/,
      ['evaluate', 'sparse-recovery', '--model', 'nobody'],
    ],
    [
      'an unknown command',
      /There is no command fly; there are train, evaluate, calibrate, quantise, bundle\./,
      ['fly'],
    ],
  ])('%s', async (_, says, args) => {
    const { code, err, out } = await command(...args);
    expect(err).toMatch(says);
    expect(err).not.toMatch(/\n\s+at /);
    expect(code).toBeGreaterThan(0);
    expect(out).toBe('');
  });
});
