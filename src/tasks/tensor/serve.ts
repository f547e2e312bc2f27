/** Tensors: the inputs of any bundle in, its outputs out, as .npy or JSON, without code of the bundle's own. */
import Type from 'typebox';
import type { Manifest } from '../../bundle/manifest.ts';
import { jsonTensor } from '../../codecs/json-numbers.ts';
import { readNpy, writeNpy } from '../../codecs/npy.ts';
import type { DecodedRequest, RunResult, TaskAnswer } from '../../engine/types.ts';
import { Problem, shortened } from '../../errors.ts';
import { at } from '../../util/at.ts';
import { answerSchema, Stop } from '../common/answers.ts';
import { chooseModel } from '../common/choose-model.ts';
import { depthFields, depthHeaders, jsonAnswer, stopFields } from '../common/depth-report.ts';
import { exitsOf } from '../common/exits.ts';
import { jsonReader } from '../common/json-body.ts';
import { cutTensors } from '../common/json-tensors.ts';
import { answerType, Bytes, JSON_TYPE, NPY_TYPE } from '../common/media-types.ts';
import type { Options, Task, TaskRequest } from '../task.ts';
import { toSamples, type InputTensor } from './inputs.ts';
import { fromNested } from './nested.ts';
import { stackOutput, STOP_TENSORS } from './outputs.ts';

const Tensors = (description: string) =>
  Type.Record(Type.String(), Type.Array(Type.Unknown()), { description });

/** A small gray image, [4,4]. */
const RAMP = [0.2, 0.4, 0.6, 0.8].map((value) => [value, value, value, value]);
const reader = jsonReader(
  Type.Object({
    inputs: Tensors(
      'Nested arrays of numbers by the name of a model input, [N, …]: N samples. Without the first dimension: one sample.',
    ),
  }),
  { inputs: { image: [RAMP] }, model: 'denoise-gray-traffic' },
);

const Answer = answerSchema({
  outputs: Tensors(
    'Nested arrays by the name of a model output, with N first where the inputs had it.',
  ),
  samples: Type.Array(Type.Object(Stop)),
});

/** `POST /v1/tensor`: named tensors [N,…] through any bundle; each of the N samples has its own depth. */
export const tensor: Task = {
  name: 'tensor',
  route: 'tensor',
  summary: 'The outputs of any model for named tensors; each sample runs as deep as it needs.',
  takes: {
    [JSON_TYPE]: reader.schema,
    [NPY_TYPE]: Bytes(
      'For models with one input: a .npy array of shape (N, …), or of one sample, of real numbers.',
    ),
  },
  gives: {
    [JSON_TYPE]: Answer,
    [NPY_TYPE]: Bytes('One output as a .npy array of float32.'),
  },
  exits: Tensors('Nested arrays of one sample by the name of a model output.'),
  query: {
    output: Type.Optional(
      Type.String({
        description: 'With a .npy answer of a model with several outputs: the one to answer with.',
      }),
    ),
  },
  check({ name, outputs }) {
    const taken = STOP_TENSORS.find((tensor) => outputs.some((port) => port.name === tensor.name));
    if (taken)
      throw new Error(
        `${name} has an output ${taken.name}, the name of a tensor that answers add; rename it.`,
      );
  },
  decode: (request, { models }) => new Promise((resolve) => resolve(decode(request, models))),
};

function decode(request: TaskRequest, models: ReadonlyMap<string, Manifest>): DecodedRequest {
  const cut = request.contentType === JSON_TYPE ? cutTensors(request.body) : undefined;
  const json = cut && reader.read({ ...request, body: cut.rest });
  const manifest = anyModel(models, json ? json.model : request.model);
  const given = json
    ? Object.entries(json.fields.inputs).map(([name, value]) => ({
        name,
        ...fromNested(value, `inputs.${shortened(name)}`, cut?.tensors),
      }))
    : [fromNpy(request.body, manifest)];
  const bare = isOneSample(manifest, given);
  const tensors = bare ? given.map((one) => ({ ...one, shape: [1, ...one.shape] })) : given;
  const accept = answerType(request, request.contentType);
  const output = accept === JSON_TYPE ? undefined : outputFor(manifest, request.options.output);
  return {
    model: manifest.name,
    samples: toSamples(manifest, tensors),
    stopping: json ? json.stopping : request.stopping,
    ...exitsOf(request, (_exit, outputs) =>
      Buffer.concat(
        jsonOf(Object.entries(outputs).map(([name, { data, dims }]) => [name, data, dims])),
      ),
    ),
    encode: (result) =>
      Promise.resolve(
        output === undefined ? encodeJson(result, manifest, bare) : encodeNpy(result, output, bare),
      ),
  };
}

/** A model of any task by its name; where none is named, the default of this task. */
function anyModel(models: ReadonlyMap<string, Manifest>, name: string | undefined): Manifest {
  const named = name === undefined ? undefined : models.get(name);
  if (named) return named;
  const list = [...models.keys()].join(', ');
  if (name !== undefined)
    throw new Problem('unknown-model', `There is no model ${shortened(name)}; there are ${list}.`);
  if (![...models.values()].some(({ task }) => task === 'tensor'))
    throw new Problem('unknown-model', `Name the model: add model=NAME, one of ${list}.`);
  return chooseModel(models, 'tensor', undefined);
}

/** Every input has one dimension less than the model's, so that it is a sample and not a batch. */
const isOneSample = ({ inputs }: Manifest, tensors: readonly InputTensor[]): boolean =>
  tensors.length > 0 &&
  tensors.every(
    ({ name, shape }) =>
      inputs.find((port) => port.name === name)?.shape.length === shape.length + 1,
  );

function fromNpy(body: Uint8Array, { name, inputs }: Manifest): InputTensor {
  if (inputs.length !== 1)
    throw new Problem(
      'bad-body',
      `${name} has the inputs ${inputs.map((port) => port.name).join(', ')}; send them as JSON {"inputs": {…}}.`,
    );
  try {
    const { shape, data } = readNpy(body);
    return { name: at(inputs, 0).name, shape, data: new Float32Array(data) };
  } catch (error) {
    throw new Problem(
      'bad-body',
      `The body is not a .npy array that can be read. ${(error as Error).message}`,
    );
  }
}

/** The output that a .npy answer holds. */
function outputFor({ name, outputs }: Manifest, asked: Options[string]): string {
  const names = outputs.map((port) => port.name);
  if (asked === undefined && names.length === 1) return at(names, 0);
  if (typeof asked === 'string' && names.includes(asked)) return asked;
  throw new Problem(
    'bad-parameter',
    asked === undefined
      ? `${name} has the outputs ${names.join(', ')}; add output=NAME, or ask for JSON.`
      : `${name} has no output ${shortened(String(asked))}; its outputs are ${names.join(', ')}.`,
  );
}

function encodeJson(result: RunResult, { outputs }: Manifest, bare: boolean): TaskAnswer {
  const tensors = outputs.map(({ name }): NamedTensor => {
    const { shape, data } = stackOutput(result, name);
    return [name, data, bare ? shape.slice(1) : shape];
  });
  const samples = result.samples.map(stopFields);
  return jsonAnswer(
    result,
    { ...depthFields(result), samples },
    { name: 'outputs', json: jsonOf(tensors) },
  );
}

type NamedTensor = readonly [name: string, data: Float32Array, shape: readonly number[]];

/** A JSON object of nested arrays, in parts. */
const jsonOf = (tensors: readonly NamedTensor[]): Uint8Array[] => [
  ...tensors.flatMap(([name, data, shape], i) => [
    Buffer.from(`${i > 0 ? ',' : '{'}${JSON.stringify(name)}:`),
    jsonTensor(data, shape),
  ]),
  Buffer.from('}'),
];

function encodeNpy(result: RunResult, output: string, bare: boolean): TaskAnswer {
  const { shape, data } = stackOutput(result, output);
  return {
    contentType: NPY_TYPE,
    headers: depthHeaders(result),
    body: writeNpy({ shape: bare ? shape.slice(1) : shape, data }),
  };
}
