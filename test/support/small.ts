/** Small models of both families, as they are exported, in a folder of their own. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SCHEMA_VERSION, type Manifest, type TaskName } from '../../src/bundle/manifest.ts';
import { writeBundle } from '../../src/bundle/write.ts';
import { writeNpy } from '../../src/codecs/npy.ts';
import { Random } from '../../src/data/random.ts';
import { measurementMatrix } from '../../src/data/sparse-recovery.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { EngineEvents, EngineOptions } from '../../src/engine/pool.ts';
import { defineDncnn } from '../../src/families/dncnn.ts';
import { defineMaml, type MamlConfig } from '../../src/families/maml.ts';
import type { Family } from '../../src/families/family.ts';
import { defaultCoupled, defineCoupledLista } from '../../src/families/lista.ts';
import { defineSdn } from '../../src/families/sdn.ts';
import { perTask } from '../../src/tasks/few-shot/config.ts';
import { lower, perPixel, perSample, type FlopsUnit } from '../../src/training/export.ts';
import { initialWeights, type Weights } from '../../src/training/weights.ts';
import { workerEntry } from '../../src/tasks/worker-entry.ts';

export const smallMatrix = measurementMatrix(12, 24, new Random(3));
export const smallLista = (): Family =>
  defineCoupledLista({ ...defaultCoupled, matrix: smallMatrix, depth: 5 });
export const smallDncnn = (channels: 1 | 3 = 1): Family =>
  defineDncnn({ channels, features: 8, depth: 4, exits: [2, 3, 4], hidden: 4 });

export const smallMaml = (change: Partial<MamlConfig> = {}): Family =>
  defineMaml({
    channels: 1,
    side: 8,
    background: 1,
    features: 4,
    depth: 3,
    exits: [1, 2, 3],
    hidden: 4,
    order: 'second',
    ...change,
  });

export const smallSdn = (): Family =>
  defineSdn({
    channels: 3,
    side: 8,
    classes: 6,
    widths: [4, 6],
    blocks: [1, 2],
    exits: [1, 2, 3],
    hidden: 4,
  }).family;

/** Weights with some life in them: the policies answer differently at every exit. */
export function livelyWeights(family: Family, seed = 5): Weights {
  const random = new Random(seed);
  const weights = initialWeights(family, random.normal);
  for (const [name, { role }] of family.parameters)
    if (role === 'policy') random.fillNormal(weights.get(name)!, 0.5);
  return weights;
}

export interface SmallModel {
  readonly name: string;
  readonly family: Family;
  readonly weights: Weights;
  readonly change?: Partial<Manifest>;
}

export const smallModels = (): SmallModel[] => [
  { name: 'small-recovery', family: smallLista(), weights: livelyWeights(smallLista()) },
  { name: 'small-gray', family: smallDncnn(1), weights: livelyWeights(smallDncnn(1)) },
  { name: 'small-color', family: smallDncnn(3), weights: livelyWeights(smallDncnn(3)) },
];

export const smallFewShot = (): SmallModel => ({
  name: 'small-few-shot',
  family: smallMaml(),
  weights: livelyWeights(smallMaml()),
  change: { limits: { K: 6, S: 20, Q: 40 } },
});

export const smallLabels = ['ant', 'bee', 'cat', 'dog', 'eel', 'fox'];
export function smallRecognize(): SmallModel {
  const weights = livelyWeights(smallSdn());
  const random = new Random(8);
  for (const [name, data] of weights) if (/^(head|bias)/.test(name)) random.fillNormal(data, 1);
  return {
    name: 'small-recognize',
    family: smallSdn(),
    weights,
    change: { thresholds: { confidence: 0.6 } },
  };
}

/** What belongs to a family that a bundle is written of. */
const kinds: Readonly<
  Record<
    string,
    {
      readonly task: TaskName;
      readonly unit: FlopsUnit;
      readonly files: readonly (readonly [string, Uint8Array])[];
    }
  >
> = {
  lista: {
    task: 'sparse-recovery',
    unit: perSample,
    files: [
      [
        'matrix.npy',
        writeNpy({ shape: [smallMatrix.rows, smallMatrix.columns], data: smallMatrix.data }),
      ],
    ],
  },
  dncnn: { task: 'denoise', unit: perPixel, files: [] },
  maml: { task: 'few-shot', unit: perTask, files: [] },
  sdn: {
    task: 'recognize',
    unit: perSample,
    files: [['labels.json', Buffer.from(JSON.stringify(smallLabels))]],
  },
};

/** Writes the models as bundles and gives the folder. */
export async function writeModels(models: readonly SmallModel[] = smallModels()): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stopwise-'));
  for (const { name, family, weights, change } of models) {
    const { task, unit, files: taskFiles } = kinds[family.name.split('-')[0]!]!;
    const { contents, ...lowered } = lower(family, weights, unit);
    await writeBundle(
      join(folder, name),
      {
        schema_version: SCHEMA_VERSION,
        name,
        version: '1',
        task,
        default: true,
        ...lowered,
        threshold: 0.5,
        training: { seed: 5 },
        task_files: taskFiles.map(([file]) => file),
        ...change,
      },
      new Map([...contents, ...taskFiles]),
    );
  }
  return folder;
}

/** An engine on these models, with the service's own workers. */
export async function startSmallEngine(
  options: Partial<EngineOptions> = {},
  events: Partial<EngineEvents> = {},
): Promise<Engine> {
  const whole: EngineOptions = {
    modelsDir: options.modelsDir ?? (await writeModels()),
    entry: workerEntry,
    settings: { maxPixels: 1e6 },
    provider: 'cpu',
    workers: 1,
    ...options,
  };
  return Engine.start(whole, events);
}
