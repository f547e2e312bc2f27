/** Few-shot learning: the paper's second experiment. */
import { accuracy } from './few-shot/accuracy.ts';
import { steps } from './few-shot/steps.ts';
import { transductive } from './few-shot/transductive.ts';
import { fewShot as recipe } from '../../src/tasks/learning.ts';
import { gainPart } from './gain.ts';
import type { Reproduction } from './report.ts';
import { training } from './training.ts';

const gain = gainPart({
  model: 'few-shot-omniglot',
  metric: recipe.metric,
  traffic: (manifest, { data, modelsDir }, seed) =>
    recipe.traffic({ data, queries: '5', upright: false }, manifest, modelsDir, seed),
});

export const fewShot: Reproduction = {
  title: 'Few-shot learning',
  byName: true,
  parts: [accuracy, gain, steps, transductive, training('few-shot')],
};
