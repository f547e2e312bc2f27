import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fewShotDefaults, type FewShotConfig } from '../../../src/tasks/few-shot/config.ts';
import { livelyWeights, smallMaml, writeModels } from '../../support/small.ts';
import { classFolders, reproduceWith } from './run.ts';

/** Enough that each part of the traffic has two. */
const LETTERS = 'alef bet gimel dalet he vav zayin het tet yod kaf lamed mem nun samekh'.split(' ');

/** What `smallMaml` is built of, and the tasks that it is asked. */
const config: FewShotConfig = {
  ...fewShotDefaults.drawings,
  form: 'stop',
  side: 8,
  background: 1,
  features: 4,
  depth: 3,
  exits: [1, 2, 3],
  hidden: 4,
  ways: [2],
  shots: [1, 2],
};

it('compares the model that stops with the one that always takes all steps', async () => {
  const [stop, fixed] = [smallMaml(), smallMaml({ exits: [3] })];
  const models = await writeModels([
    {
      name: 'letters',
      family: stop,
      weights: livelyWeights(stop),
      change: { training: { config: { ...config } } },
    },
    { name: 'letters-fixed', family: fixed, weights: livelyWeights(fixed) },
  ]);
  const out = join(models, 'report');
  const data = await classFolders(LETTERS, 7);
  const printed = await reproduceWith(
    models,
    ...['few-shot', '--model', 'letters', '--data', data, '--quick', '--out', out],
  );
  expect(printed).toMatch(
    /\| tasks +\| +MAML, 3 steps, ours \| MAML-stop, ours \| MAML-stop, all 3 steps \| mean steps \|/,
  );
  expect(printed).toMatch(
    /\| 2-way, 1 shot +\| +\d+\.\d\d ± \d+\.\d\d \| +\d+\.\d\d ± \d+\.\d\d \|/,
  );
  expect(printed).toMatch(/\| 1 shot +(\| +\d+\.\d\d ){5}\|/);
  expect(printed).toMatch(/\| above the policy (\| +−?\d+\.\d\d ± \d+\.\d\d ){3}\|/);
  expect(printed).toMatch(/## Adaptivity gain\n\n.*\n\n\| tolerance, points \|/);
  expect(printed).toMatch(/\| every request at depth \| requests \| above the best exit \|/);
  expect(printed).toMatch(/normalised together \|\n.*\n\| 2-way, 1–2 shots/);
  expect(await readdir(out)).toEqual(expect.arrayContaining(['steps.svg', 'gain.svg']));
}, 180_000);
