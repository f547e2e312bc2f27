/** Transductive normalisation as published (all queries of a task together) against ours (support set only). */
import { toConstants } from '../../../src/training/weights.ts';
import { join } from 'node:path';
import { leavesOf } from '../../../src/families/family.ts';
import type { Condition } from '../../../src/evaluation/data.ts';
import { accuracy, halfWidth95 } from '../../../src/evaluation/metrics.ts';
import { toModel } from '../../../src/graph/model.ts';
import { input } from '../../../src/graph/operators.ts';
import { floats, Session, tensor } from '../../../src/runtime/session.ts';
import { readWeights } from '../../../src/training/from-bundle.ts';
import { fewShotFamily } from '../../../src/tasks/few-shot/stages.ts';
import { unroll } from '../../../src/training/unroll.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { loadModels, percent, testTasks } from './setting.ts';

export const transductive: Part = {
  name: 'transductive',
  about: 'Accuracy with queries normalised together, as published, and with the support set only.',
  run,
};

const TASKS = 200;

async function run(options: ReproduceOptions): Promise<Section[]> {
  const models = await loadModels(options);
  const weights = await readWeights(join(options.modelsDir, models.stop.name));
  const conditions = await testTasks(models, options, models.rows, options.count ?? TASKS);
  const rows: string[][] = models.rows.map(({ name }) => [name]);
  for (const [way, together] of [false, true].entries()) {
    const family = fewShotFamily({ ...models.config, transductive: together });
    const inputs = leavesOf(family.inputs);
    const { logits } = unroll(family, inputs).outputs.at(-1)! as {
      logits: ReturnType<typeof input>;
    };
    const constants = toConstants(weights);
    const session = await Session.load(toModel({ outputs: { logits }, weights: constants }));
    for (const [i, condition] of conditions.entries()) {
      options.onProgress(models.rows[i]!.name, (way + i / conditions.length) / 2);
      rows[i]!.push(await measure(session, condition));
    }
    await session.release();
  }
  const columns = ['all steps', 'normalised with the support set', 'normalised together'];
  return [{ heading: 'Inductive and transductive', tables: [{ columns, rows }] }];
}

async function measure(session: Session, { cases }: Condition): Promise<string> {
  const values: number[] = [];
  for (const { sample, truth } of cases) {
    const feeds = Object.fromEntries(
      Object.entries(sample).map(([name, { data, dims }]) => [name, tensor(data, [1, ...dims])]),
    );
    values.push(accuracy.sample(floats((await session.run(feeds)).logits!), truth)[0]);
  }
  return percent(accuracy.total(values.map((value) => [value, 1] as const)), halfWidth95(values));
}
