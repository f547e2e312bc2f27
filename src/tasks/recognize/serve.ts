/** Recognition: an image of any size in, the class it shows out, with the probabilities of the likeliest. */
import Type from 'typebox';
import { readHeader, readSquare, squareBytes } from '../../codecs/images.ts';
import type { RunResult, TaskAnswer } from '../../engine/types.ts';
import { at, entry } from '../../util/at.ts';
import { softmax } from '../../util/softmax.ts';
import { answerSchema, Stop } from '../common/answers.ts';
import { checkPorts } from '../common/check.ts';
import { chooseModel } from '../common/choose-model.ts';
import { depthFields, jsonAnswer, stopFields } from '../common/depth-report.ts';
import { imageBodies, imageForm, imageOf, JSON_TYPE } from '../common/media-types.ts';
import type { Task } from '../task.ts';
import { LABELS, readLabels } from './labels.ts';

/** Classes that an answer lists. */
const LISTED = 5;

const Answer = answerSchema({
  label: Type.String({ description: 'The likeliest class.' }),
  scores: Type.Array(Type.Object({ label: Type.String(), score: Type.Number() }), {
    description: `The ${LISTED} likeliest classes with their probabilities.`,
  }),
  ...Stop,
});

/** `POST /v1/recognize`: classifies the central square of an image. */
export const recognize: Task = {
  name: 'recognize',
  route: 'recognize',
  summary:
    'The class that an image shows; the image may be of any size, its central square is looked at.',
  takes: imageBodies,
  gives: { [JSON_TYPE]: Answer },
  form: imageForm,
  query: {},
  async check(manifest, read) {
    checkPorts(manifest, { inputs: { image: 4 }, outputs: { logits: 2 } });
    if (!manifest.task_files.includes(LABELS))
      throw new Error(`${manifest.name}: ${LABELS} is not among its task files.`);
    readLabels(await read(LABELS), manifest);
  },

  async decode(request, { models, files, settings, admit }) {
    const manifest = chooseModel(models, 'recognize', request.model);
    const { name, shape } = at(manifest.inputs, 0);
    const [, channels, side] = shape.map(Number) as [number, 1 | 3, number];
    const file = imageOf(request);
    const header = await readHeader(file, settings.maxPixels);
    await admit?.({
      bytes: squareBytes(header),
      work: {
        model: manifest.name,
        samples: 1,
        elements: channels * side * side,
        stopping: request.stopping,
      },
    });
    const { data } = await readSquare(file, side, channels, settings.maxPixels);
    const labels = readLabels(await files(manifest.name, LABELS), manifest);
    return {
      model: manifest.name,
      samples: [{ [name]: { data, dims: [channels, side, side] } }],
      stopping: request.stopping,
      encode: (result) => Promise.resolve(encode(result, labels)),
    };
  },
};

function encode(result: RunResult, labels: readonly string[]): TaskAnswer {
  const sample = at(result.samples, 0);
  const scores = softmax(entry(sample.outputs, 'logits').data)
    .map((score, i) => ({ label: at(labels, i), score: Number(score.toPrecision(4)) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, LISTED);
  const { model, ...fields } = depthFields(result);
  return jsonAnswer(result, {
    model,
    label: at(scores, 0).label,
    scores,
    ...stopFields(sample),
    ...fields,
  });
}
