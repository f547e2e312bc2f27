/** Recognition: the paper's fourth experiment, how often an early exit is right where the last is wrong, and a comparison of stop rules. */
import { exits } from './recognize/exits.ts';
import { objective } from './recognize/objective.ts';
import { rules } from './recognize/rules.ts';
import { recognitionModels } from './recognize/setting.ts';
import { recognize as recipe } from '../../src/tasks/learning.ts';
import { gainPart } from './gain.ts';
import type { Reproduction } from './report.ts';
import { training } from './training.ts';

const gain = gainPart({
  model: async (modelsDir) => (await recognitionModels(modelsDir))[0].name,
  metric: recipe.metric,
  oneSize: true,
  traffic: (manifest, { data, modelsDir }, seed) =>
    recipe.traffic({ data }, manifest, modelsDir, seed),
});

export const recognize: Reproduction = {
  title: 'Recognition',
  parts: [exits, gain, objective, rules, training('recognize')],
};
