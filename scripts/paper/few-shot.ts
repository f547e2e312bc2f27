/** Few-shot learning: the paper's second experiment. */
import { accuracy } from './few-shot/accuracy.ts';
import { steps } from './few-shot/steps.ts';
import { transductive } from './few-shot/transductive.ts';
import type { Reproduction } from './report.ts';
import { training } from './training.ts';

export const fewShot: Reproduction = {
  title: 'Few-shot learning',
  byName: true,
  parts: [accuracy, steps, transductive, training('few-shot')],
};
