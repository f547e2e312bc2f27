/** A toy task: numbers in, their halves out. What a new task has to say of itself. */
import Type from 'typebox';
import { answerSchema, Stop } from '../../../../src/tasks/common/answers.ts';
import { checkPorts } from '../../../../src/tasks/common/check.ts';
import { chooseModel } from '../../../../src/tasks/common/choose-model.ts';
import { depthFields, jsonAnswer } from '../../../../src/tasks/common/depth-report.ts';
import { jsonReader } from '../../../../src/tasks/common/json-body.ts';
import { JSON_TYPE } from '../../../../src/tasks/common/media-types.ts';
import type { Task } from '../../../../src/tasks/task.ts';

const reader = jsonReader(Type.Object({ numbers: Type.Array(Type.Number()) }));

export const halve: Task = {
  name: 'halve',
  route: 'halve',
  summary: 'Half of each number.',
  takes: { [JSON_TYPE]: reader.schema },
  gives: { [JSON_TYPE]: answerSchema({ halves: Type.Array(Type.Number()), ...Stop }) },
  query: {},
  check: (manifest) => checkPorts(manifest, { inputs: { numbers: 2 }, outputs: { halves: 2 } }),
  decode(request, { models }) {
    const { fields, model, stopping } = reader.read(request);
    const { name } = chooseModel(models, 'halve', model);
    const sample = {
      numbers: { data: Float32Array.from(fields.numbers), dims: [fields.numbers.length] },
    };
    return Promise.resolve({
      model: name,
      samples: [sample],
      stopping,
      encode(result) {
        const { depth, reason, pi, outputs } = result.samples[0]!;
        const halves = [...outputs.halves!.data];
        return Promise.resolve(
          jsonAnswer(result, { ...depthFields(result), halves, depth, reason, pi }),
        );
      },
    });
  },
};
