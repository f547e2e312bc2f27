/** Recognition: the paper's fourth experiment, how often an early exit is right where the last is wrong, and a comparison of stop rules. */
import { exits } from './recognize/exits.ts';
import { objective } from './recognize/objective.ts';
import { rules } from './recognize/rules.ts';
import type { Reproduction } from './report.ts';
import { training } from './training.ts';

export const recognize: Reproduction = {
  title: 'Recognition',
  parts: [exits, objective, rules, training('recognize')],
};
