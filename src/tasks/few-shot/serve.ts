/** Few-shot learning: a few labelled images and some without a label in, a label for each of those out. */
import type { Manifest } from '../../bundle/manifest.ts';
import { readSquare } from '../../codecs/images.ts';
import type {
  Array32,
  DecodedRequest,
  RunResult,
  TaskAnswer,
  PlainTaskDecoder,
  TaskRequest,
} from '../../engine/types.ts';
import { Problem } from '../../errors.ts';
import type { ImageLimits } from '../denoise/serve.ts';
import { readJsonBody } from '../common/json-body.ts';
import { chooseModel } from '../common/choose-model.ts';
import { depthFields, jsonAnswer, readablePi } from '../common/depth-report.ts';
import { softmax } from '../../util/softmax.ts';

/** The most of each where the manifest sets no bound of its own: images to learn from, classes, queries. */
const BOUNDS = { S: 256, K: 64, Q: 512 };
/** Images that are being decoded at a time. */
const AT_ONCE = 16;

interface Labelled {
  readonly label: string;
  readonly image: Uint8Array;
}

interface Given {
  readonly support: readonly Labelled[];
  readonly query: readonly Uint8Array[];
}

export const fewShot =
  ({ maxPixels }: ImageLimits): PlainTaskDecoder =>
  async (request, models): Promise<DecodedRequest> => {
    const json = request.parts ? undefined : readJsonBody(request, ['support', 'query']);
    const manifest = chooseModel(models, 'few-shot', json ? json.model : request.model);
    const { support, query } = json ? fromJson(json.fields) : fromParts(request.parts!);
    const labels = classesOf(support);
    checkBounds(manifest, { S: support.length, K: labels.length, Q: query.length });
    const shape = manifest.inputs.find(({ name }) => name === 'support')!.shape;
    const [channels, side] = [Number(shape[2]) as 1 | 3, Number(shape[3])];
    const read = (images: readonly Uint8Array[], what: string) =>
      readAll(images, what, { channels, side, maxPixels });
    const sample = {
      support: await read(
        support.map(({ image }) => image),
        'support',
      ),
      labels: oneHot(support, labels),
      query: await read(query, 'query'),
    };
    return {
      model: manifest.name,
      samples: [sample],
      stopping: json ? json.stopping : request.stopping,
      encode: (result) => Promise.resolve(encode(result, labels, manifest.outputs[0]!.name)),
    };
  };

const refuse = (detail: string): never => {
  throw new Problem('bad-body', detail);
};

function fromJson({ support, query }: Readonly<Record<string, unknown>>): Given {
  if (!Array.isArray(support))
    return refuse('support must be an array of {"label": "…", "image": "(base64)"}.');
  if (!Array.isArray(query)) return refuse('query must be an array of images in base64.');
  return {
    support: support.map((entry: unknown, i) => {
      if (typeof entry !== 'object' || entry === null)
        return refuse(`Entry ${i} of support must be {"label": "…", "image": "(base64)"}.`);
      const { label, image, ...others } = entry as Record<string, unknown>;
      const [other] = Object.keys(others);
      if (other !== undefined)
        refuse(
          `Entry ${i} of support has a field ${other} that nobody reads; it must be {label, image}.`,
        );
      if (typeof label !== 'string')
        return refuse(`The label of entry ${i} of support must be a string.`);
      return {
        label: checkLabel(label, `of entry ${i} of support`),
        image: fromBase64(image, `The image of entry ${i} of support`),
      };
    }),
    query: query.map((image: unknown, i) => fromBase64(image, `Entry ${i} of query`)),
  };
}

function fromBase64(text: unknown, what: string): Uint8Array {
  if (typeof text !== 'string' || text === '') return refuse(`${what} must be an image in base64.`);
  const bare = text.replace(/^data:[^,]*;base64,/, '');
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(bare)) refuse(`${what} is not base64.`);
  return Buffer.from(bare, 'base64');
}

function fromParts(parts: NonNullable<TaskRequest['parts']>): Given {
  const support: Labelled[] = [];
  const query: Uint8Array[] = [];
  for (const { field, label, body } of parts) {
    if (field === 'query') query.push(body);
    else if (label === undefined)
      refuse(`Support file ${support.length} has no label; send a field label before it.`);
    else
      support.push({
        label: checkLabel(label, `before support file ${support.length}`),
        image: body,
      });
  }
  return { support, query };
}

function checkLabel(label: string, where: string): string {
  const trimmed = label.trim();
  if (trimmed === '') refuse(`The label ${where} is empty.`);
  if (trimmed.length > 200)
    refuse(`The label ${where} has ${trimmed.length} characters; at most 200 are taken.`);
  return trimmed;
}

/** The labels in the order in which they first come. */
function classesOf(support: readonly Labelled[]): string[] {
  const labels = [...new Set(support.map(({ label }) => label))];
  const folded = new Map<string, string>();
  for (const label of labels) {
    const key = label.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ');
    const twin = folded.get(key);
    if (twin !== undefined)
      refuse(
        `The labels "${twin}" and "${label}" differ in case, spaces or encoding alone; write one class in one way.`,
      );
    folded.set(key, label);
  }
  if (labels.length === 0)
    refuse('support is empty; send at least one image of each of two classes.');
  if (labels.length === 1)
    refuse(`support has one class, "${labels[0]}"; send images of at least two.`);
  return labels;
}

function checkBounds({ name, limits }: Manifest, count: typeof BOUNDS): void {
  const bounds = { ...BOUNDS, ...limits };
  if (count.Q === 0) refuse('query is empty; send at least one image to be labelled.');
  const words = { S: 'images to learn from', K: 'classes', Q: 'queries' } as const;
  for (const symbol of ['K', 'S', 'Q'] as const) {
    if (count[symbol] <= bounds[symbol]) continue;
    throw new Problem(
      'too-large',
      `The request has ${count[symbol]} ${words[symbol]}; ${name} takes at most ${bounds[symbol]} at a time.`,
    );
  }
}

interface Wanted {
  readonly channels: 1 | 3;
  readonly side: number;
  readonly maxPixels: number;
}

/** Images of any size and colours, brought to the model's: [n,C,side,side]. */
async function readAll(
  images: readonly Uint8Array[],
  what: string,
  { channels, side, maxPixels }: Wanted,
): Promise<Array32> {
  const size = channels * side * side;
  const data = new Float32Array(images.length * size);
  const readers = Array.from({ length: AT_ONCE }, async (_, reader) => {
    for (let i = reader; i < images.length; i += AT_ONCE) {
      const planes = await readSquare(images[i]!, side, channels, maxPixels).catch(
        (error: unknown) => {
          if (error instanceof Problem)
            throw new Problem(error.code, `Image ${i} of ${what}: ${error.message}`, {
              cause: error,
            });
          throw error;
        },
      );
      data.set(planes.data, i * size);
    }
  });
  await Promise.all(readers);
  return { data, dims: [images.length, channels, side, side] };
}

function oneHot(support: readonly Labelled[], labels: readonly string[]): Array32 {
  const data = new Float32Array(support.length * labels.length);
  support.forEach(({ label }, i) => (data[i * labels.length + labels.indexOf(label)] = 1));
  return { data, dims: [support.length, labels.length] };
}

function encode(result: RunResult, labels: readonly string[], output: string): TaskAnswer {
  const { depth, reason, pi, outputs } = result.samples[0]!;
  const { data } = outputs[output]!;
  const predictions = Array.from({ length: data.length / labels.length }, (_, q) => {
    const scores = softmax(data.subarray(q * labels.length, (q + 1) * labels.length));
    return {
      label: labels[scores.indexOf(Math.max(...scores))],
      scores: scores.map((score) => Number(score.toPrecision(4))),
    };
  });
  const { timing, ...fields } = depthFields(result);
  return jsonAnswer({ ...fields, labels, predictions, depth, reason, pi: readablePi(pi), timing });
}
