/** Recognition: an image of any size in, the class it shows out, with the probabilities of the likeliest. */
import { LABELS, readLabels } from './labels.ts';
import { readSquare } from '../../codecs/images.ts';
import type { DecodedRequest, RunResult, TaskAnswer, TaskDecoder } from '../../engine/types.ts';
import type { ImageLimits } from '../denoise/serve.ts';
import { chooseModel } from '../common/choose-model.ts';
import { depthFields, jsonAnswer, readablePi } from '../common/depth-report.ts';
import { softmax } from '../../util/softmax.ts';

/** Classes that an answer lists. */
const LISTED = 5;

/** The image's central square, scaled to the side that the model takes. */
export const recognize =
  ({ maxPixels }: ImageLimits): TaskDecoder =>
  async (request, models, files): Promise<DecodedRequest> => {
    const manifest = chooseModel(models, 'recognize', request.model);
    const { name, shape } = manifest.inputs[0]!;
    const [, channels, side] = shape.map(Number) as [number, 1 | 3, number];
    const { data } = await readSquare(request.body, side, channels, maxPixels);
    const labels = readLabels(await files(manifest.name, LABELS), manifest);
    return {
      model: manifest.name,
      samples: [{ [name]: { data, dims: [channels, side, side] } }],
      stopping: request.stopping,
      encode: (result) => Promise.resolve(encode(result, labels, manifest.outputs[0]!.name)),
    };
  };

function encode(result: RunResult, labels: readonly string[], output: string): TaskAnswer {
  const { depth, reason, pi, outputs } = result.samples[0]!;
  const scores = softmax(outputs[output]!.data)
    .map((score, i) => ({ label: labels[i]!, score: Number(score.toPrecision(4)) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, LISTED);
  const { model, ...fields } = depthFields(result);
  return jsonAnswer({
    model,
    label: scores[0]!.label,
    scores,
    depth,
    reason,
    pi: readablePi(pi),
    ...fields,
  });
}
