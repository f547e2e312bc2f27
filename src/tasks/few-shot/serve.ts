/** Few-shot learning: a few labelled images and some without a label in, a label for each of those out. */
import pMap from 'p-map';
import Type from 'typebox';
import type { Manifest } from '../../bundle/manifest.ts';
import {
  readDrawing,
  readHeader,
  readSquare,
  squareBytes,
  type Planes,
} from '../../codecs/images.ts';
import { normaliseDrawing } from '../../codecs/normalise-drawing.ts';
import type { Array32, RunResult, TaskAnswer } from '../../engine/types.ts';
import { Problem } from '../../errors.ts';
import { at, entry } from '../../util/at.ts';
import { softmax } from '../../util/softmax.ts';
import { answerSchema, Stop } from '../common/answers.ts';
import { checkPorts } from '../common/check.ts';
import { chooseModel } from '../common/choose-model.ts';
import { depthFields, jsonAnswer, stopFields } from '../common/depth-report.ts';
import { jsonReader } from '../common/json-body.ts';
import { Base64, FORM, JSON_TYPE } from '../common/media-types.ts';
import type { Task, TaskSettings } from '../task.ts';
import { example } from './example.ts';
import { checkLabel, Form, fromParts, type Given, type LabelledImage } from './form.ts';

/** The most images to learn from, classes and queries where the manifest sets no limit of its own. */
const LIMITS = { S: 256, K: 64, Q: 512 };
/** Images decoded at a time. */
const CONCURRENCY = 4;

const Labelled = Type.Object(
  { label: Type.String(), image: Base64('An image file in base64, of any size.') },
  { additionalProperties: false },
);
const reader = jsonReader(
  Type.Object({
    support: Type.Array(Labelled, {
      description: 'Images to learn from, of at least two classes.',
    }),
    query: Type.Array(Base64('An image to be labelled: a file in base64.')),
  }),
  example,
);

const Answer = answerSchema({
  labels: Type.Array(Type.String(), { description: 'The classes, as they first came.' }),
  predictions: Type.Array(
    Type.Object({
      label: Type.String(),
      scores: Type.Array(Type.Number(), {
        description: 'The probability of each label, in the order of labels.',
      }),
    }),
    { description: 'One for each query.' },
  ),
  ...Stop,
});

/** `POST /v1/few-shot`: adapts to the labelled images of a request and labels its queries. */
export const fewShot: Task = {
  name: 'few-shot',
  route: 'few-shot',
  summary:
    'Labels for images, learnt from a few labelled ones by as many gradient steps as they need.',
  takes: { [JSON_TYPE]: reader.schema, [FORM]: Form },
  gives: { [JSON_TYPE]: Answer },
  form: { files: ['support', 'query'], text: ['label'], maxParts: 2048 },
  query: {},
  check: (manifest) =>
    checkPorts(manifest, {
      inputs: { support: 5, labels: 3, query: 5 },
      outputs: { logits: 3 },
    }),

  async decode(request, { models, settings, signal, admit }) {
    const json = request.parts ? undefined : reader.read(request);
    const manifest = chooseModel(models, 'few-shot', json ? json.model : request.model);
    const { support, query } = json ? fromJson(json.fields) : fromParts(request.parts ?? []);
    const labels = classesOf(support);
    checkLimits(manifest, { S: support.length, K: labels.length, Q: query.length });
    const { shape } = at(
      manifest.inputs.filter(({ name }) => name === 'support'),
      0,
    );
    const [channels, side] = [Number(shape[2]) as 1 | 3, Number(shape[3])];
    const images = [...support.map(({ image }) => image), ...query];
    const pixels = channels * side * side * images.length;
    await admit?.({
      bytes:
        2 * Float32Array.BYTES_PER_ELEMENT * pixels + (await peakBytes(images, settings, signal)),
      work: {
        model: manifest.name,
        samples: 1,
        elements: pixels + support.length * labels.length,
        stopping: json ? json.stopping : request.stopping,
      },
    });
    const read = (files: readonly Uint8Array[], what: string) =>
      readAll(files, what, {
        ...{ channels, side, drawings: manifest.drawings ?? false },
        ...{ maxPixels: settings.maxPixels, signal },
      });
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
      encode: (result) => Promise.resolve(encode(result, labels)),
    };
  },
};

const refuse = (detail: string): never => {
  throw new Problem('bad-body', detail);
};

function fromJson({
  support,
  query,
}: {
  support: { label: string; image: string }[];
  query: string[];
}): Given {
  return {
    support: support.map(({ label, image }, i) => ({
      label: checkLabel(label, `of support[${i}]`),
      image: fromBase64(image, `support[${i}].image`),
    })),
    query: query.map((image, i) => fromBase64(image, `query[${i}]`)),
  };
}

function fromBase64(text: string, what: string): Uint8Array {
  const bare = text.replace(/^data:[^,]*;base64,/, '');
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(bare)) refuse(`${what} must be an image in base64.`);
  return Buffer.from(bare, 'base64');
}

/** The labels in the order in which they first come. */
function classesOf(support: readonly LabelledImage[]): string[] {
  const labels = [...new Set(support.map(({ label }) => label))];
  if (labels.length === 0)
    refuse('support is empty; send at least one image of each of two classes.');
  if (labels.length === 1)
    refuse(`support has one class, "${labels[0]}"; send images of at least two.`);
  return labels;
}

function checkLimits({ name, limits }: Manifest, count: typeof LIMITS): void {
  const most = { ...LIMITS, ...limits };
  if (count.Q === 0) refuse('query is empty; send at least one image to be labelled.');
  const words = { S: 'images to learn from', K: 'classes', Q: 'queries' } as const;
  for (const symbol of ['K', 'S', 'Q'] as const) {
    if (count[symbol] <= most[symbol]) continue;
    throw new Problem(
      'too-large',
      `The request has ${count[symbol]} ${words[symbol]}; ${name} takes at most ${most[symbol]} at a time.`,
    );
  }
}

interface Wanted {
  readonly channels: 1 | 3;
  readonly side: number;
  readonly drawings: boolean;
  readonly maxPixels: number;
  readonly signal: AbortSignal | undefined;
}

/** Memory of the largest images that may be decoded at a time, bytes. Images that cannot be read are reported later. */
async function peakBytes(
  images: readonly Uint8Array[],
  { maxPixels }: TaskSettings,
  signal: AbortSignal | undefined,
): Promise<number> {
  const bytes = await pMap(
    images,
    (image) => readHeader(image, maxPixels).then(squareBytes, () => 0),
    { concurrency: CONCURRENCY, ...(signal && { signal }) },
  );
  return bytes
    .sort((a, b) => b - a)
    .slice(0, CONCURRENCY)
    .reduce((a, b) => a + b, 0);
}

/** Images of any size and colours, brought to the model's: [n,C,side,side]. */
async function readAll(
  images: readonly Uint8Array[],
  what: string,
  wanted: Wanted,
): Promise<Array32> {
  const { channels, side, signal } = wanted;
  const size = channels * side * side;
  const data = new Float32Array(images.length * size);
  const read = async (image: Uint8Array, i: number): Promise<void> => {
    const planes = await readOne(image, wanted).catch((error: unknown) => {
      if (error instanceof Problem)
        throw new Problem(error.code, `Image ${i} of ${what}: ${error.message}`, { cause: error });
      throw error;
    });
    data.set(planes.data, i * size);
  };
  await pMap(images, read, { concurrency: CONCURRENCY, ...(signal && { signal }) });
  return { data, dims: [images.length, channels, side, side] };
}

async function readOne(
  image: Uint8Array,
  { channels, side, drawings, maxPixels }: Wanted,
): Promise<Planes> {
  if (!drawings) return readSquare(image, side, channels, maxPixels);
  const drawing = normaliseDrawing(await readDrawing(image, maxPixels), side);
  if (drawing) return drawing;
  throw new Problem('bad-image', 'It holds no drawing: all its pixels are nearly alike.');
}

function oneHot(support: readonly LabelledImage[], labels: readonly string[]): Array32 {
  const data = new Float32Array(support.length * labels.length);
  support.forEach(({ label }, i) => (data[i * labels.length + labels.indexOf(label)] = 1));
  return { data, dims: [support.length, labels.length] };
}

function encode(result: RunResult, labels: readonly string[]): TaskAnswer {
  const sample = at(result.samples, 0);
  const { data } = entry(sample.outputs, 'logits');
  const predictions = Array.from({ length: data.length / labels.length }, (_, q) => {
    const scores = softmax(data.subarray(q * labels.length, (q + 1) * labels.length));
    return {
      label: labels[scores.indexOf(Math.max(...scores))],
      scores: scores.map((score) => Number(score.toPrecision(4))),
    };
  });
  const { timing, ...fields } = depthFields(result);
  return jsonAnswer(result, {
    ...fields,
    labels,
    predictions,
    ...stopFields(sample),
    timing,
  });
}
