/** Recognition: the paper's fourth experiment, how often early exits know better, and which rule makes the most of them. */
import { exits } from './recognize/exits.ts';
import { objective } from './recognize/objective.ts';
import { rules } from './recognize/rules.ts';
import type { Reproduction } from './report.ts';
import { training } from './training.ts';

export const recognize: Reproduction = {
  title: 'Recognition',
  parts: [exits, objective, rules, training('recognize')],
};
