import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { smallLabels, smallRecognize, writeModels } from '../../support/small.ts';
import { classFolders, reproduceWith } from './run.ts';

it('measures every exit and every rule on a folder of class folders', async () => {
  const stages = {
    'stage-1': {
      steps: 20,
      seconds: 9,
      curve: [
        [10, 2],
        [20, 1],
      ],
    },
  };
  const training = { data: '10 images', seed: 1, config: { batch: 4 }, stages };
  const model = smallRecognize();
  const models = await writeModels([{ ...model, change: { ...model.change, training } }]);
  const out = join(models, 'report');
  const data = await classFolders(smallLabels, 6);
  const printed = await reproduceWith(models, 'recognize', '--data', data, '--quick', '--out', out);
  for (const heading of [
    'Every exit',
    'Over-thinking',
    'Weights of the exits',
    'At the accuracy of the last exit',
    'By threshold',
    'Adaptivity gain',
    'Training',
  ])
    expect(printed).toContain(`## ${heading}\n`);
  expect(printed).toMatch(/\| patience +\| +\d\.\d+ \| +\d+\.\d\d \|/);
  expect(printed).toMatch(/\| small-recognize, run 1: 10 images, seed 1 \| stage-1 \| +20 \|/);
  expect(await readdir(out)).toEqual(
    expect.arrayContaining([
      'accuracy-over-flops.svg',
      'accuracy-over-time.svg',
      'exits.svg',
      'gain.svg',
      'training.svg',
    ]),
  );
}, 180_000);
