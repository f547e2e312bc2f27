/** Small models of both families, as they are exported, in a folder of their own. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SCHEMA_VERSION, type Manifest } from '../../src/bundle/manifest.ts';
import { writeBundle } from '../../src/bundle/write.ts';
import { writeNpy } from '../../src/codecs/npy.ts';
import { Random } from '../../src/data/random.ts';
import { measurementMatrix } from '../../src/data/sparse-recovery.ts';
import { Engine, type EngineEvents, type EngineOptions } from '../../src/engine/engine.ts';
import { defineDncnn } from '../../src/families/dncnn.ts';
import { defineMaml, type MamlConfig } from '../../src/families/maml.ts';
import type { Family } from '../../src/families/family.ts';
import { defaultCoupled, defineCoupledLista } from '../../src/families/lista.ts';
import { lower, perPixel, perSample, perTask } from '../../src/training/export.ts';
import { initialWeights, type Weights } from '../../src/training/weights.ts';
import { builtUrl } from '../../src/util/built-url.ts';

export const smallMatrix = measurementMatrix(12, 24, new Random(3));
export const smallLista = (): Family => defineCoupledLista({ ...defaultCoupled, matrix: smallMatrix, depth: 5 });
export const smallDncnn = (channels: 1 | 3 = 1): Family => defineDncnn({ channels, features: 8, depth: 4, exits: [2, 3, 4], hidden: 4 });

export const smallMaml = (change: Partial<MamlConfig> = {}): Family =>
  defineMaml({ channels: 1, side: 8, background: 1, features: 4, depth: 3, exits: [1, 2, 3], hidden: 4, order: 'second', ...change });

/** Weights with some life in them: the policies answer differently at every exit. */
export function livelyWeights(family: Family, seed = 5): Weights {
  const random = new Random(seed);
  const weights = initialWeights(family, random.normal);
  for (const [name, { role }] of family.parameters) if (role === 'policy') random.fillNormal(weights.get(name)!, 0.5);
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

/** Writes the models as bundles and gives the folder. */
export async function writeModels(models: readonly SmallModel[] = smallModels()): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stopwise-'));
  for (const { name, family, weights, change } of models) {
    const recovery = family.name.startsWith('lista');
    const fewShot = family.name === 'maml';
    const { contents, ...lowered } = lower(family, weights, recovery ? perSample : fewShot ? perTask : perPixel);
    const { rows, columns, data } = smallMatrix;
    const taskFiles = recovery ? [['matrix.npy', writeNpy({ shape: [rows, columns], data })] as const] : [];
    await writeBundle(
      join(folder, name),
      {
        schema_version: SCHEMA_VERSION,
        name,
        version: '1',
        task: recovery ? 'sparse-recovery' : fewShot ? 'few-shot' : 'denoise',
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
export async function startSmallEngine(options: Partial<EngineOptions> = {}, events: Partial<EngineEvents> = {}): Promise<Engine> {
  const whole: EngineOptions = {
    modelsDir: options.modelsDir ?? (await writeModels()),
    entry: builtUrl(new URL('../../src/tasks/worker.ts', import.meta.url)),
    settings: { maxPixels: 1e6 },
    provider: 'cpu',
    workers: 1,
    ...options,
  };
  return Engine.start(whole, events);
}
