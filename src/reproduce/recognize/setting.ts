/** Every image at every exit, through the engine that serves: all tables and plots follow from it. */
import { basename } from 'node:path';
import { loadBundles } from '../../bundle/read.ts';
import type { Manifest } from '../../bundle/manifest.ts';
import { recognizeConditions } from '../../evaluation/data.ts';
import { readRecognizable, startEngine } from '../../evaluation/measure.ts';
import { softmax } from '../../util/softmax.ts';
import type { ReproduceOptions } from '../report.ts';

/** One image. */
export interface Seen {
  readonly truth: number;
  /** The probabilities of the classes at every exit. */
  readonly scores: readonly Float32Array[];
  /** π at every exit but the last. */
  readonly pi: readonly number[];
  /** Compute up to every exit, ms, of a caller alone. */
  readonly ms: readonly number[];
}

export interface Setting {
  readonly manifest: Manifest;
  readonly folder: string;
  readonly seen: readonly Seen[];
}

/** Images of a quick run. */
const QUICK = 200;

/** @throws a sentence where there is no folder or no model for recognition */
export async function look({ data, modelsDir, quick, onProgress }: ReproduceOptions): Promise<Setting> {
  if (data === undefined) throw new Error('recognize needs a folder of test images, with a folder for each class: --data DIR.');
  const { bundles } = await loadBundles(modelsDir);
  const models = bundles.map(({ manifest }) => manifest).filter(({ task }) => task === 'recognize');
  const manifest = models.find((model) => model.default) ?? models[0];
  if (!manifest) throw new Error(`There is no model for recognition in ${modelsDir}; train one: npm run train -- recognize --data DIR.`);
  onProgress('reading images', 0);
  const images = await readRecognizable(manifest, modelsDir, data);
  const [{ cases }] = recognizeConditions(images, manifest) as [ReturnType<typeof recognizeConditions>[number]];
  const every = quick ? Math.max(1, Math.floor(cases.length / QUICK)) : 1;
  const chosen = cases.filter((_, i) => i % every === 0);
  const output = manifest.outputs[0]!.name;
  const engine = await startEngine(modelsDir, [manifest.name]);
  try {
    const seen: Seen[] = [];
    for (const [i, { sample, truth }] of chosen.entries()) {
      const results = [];
      for (const depth of manifest.exits) results.push(await engine.run(manifest.name, [sample], { rule: 'fixed', depth }));
      seen.push({
        truth: truth[0]!,
        scores: results.map(({ samples }) => Float32Array.from(softmax(samples[0]!.outputs[output]!.data))),
        pi: results.at(-1)!.samples[0]!.pi.slice(0, manifest.exits.length - 1),
        ms: results.map(({ timing }) => timing.computeMs),
      });
      onProgress('images', i / chosen.length);
    }
    return { manifest, folder: basename(data), seen };
  } finally {
    await engine.close();
  }
}
