import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Manifest } from '../../src/bundle/manifest.ts';
import { checksum, loadBundle, loadBundles } from '../../src/bundle/read.ts';
import { writeManifest } from '../../src/bundle/write.ts';
import { denoise } from '../../src/tasks/learning.ts';
import { checkTask } from '../../src/tasks/by-name.ts';
import { readWeights } from '../../src/training/from-bundle.ts';
import { readFamily } from '../../scripts/bench/family.ts';
import {
  smallLabels,
  smallModels,
  smallRecognize,
  startSmallEngine,
  writeModels,
} from '../support/small.ts';

let models: string;
beforeAll(async () => {
  models = await writeModels();
});

/** A copy of a bundle, damaged. */
async function damaged(
  change: (directory: string, manifest: Manifest) => Promise<unknown>,
  from = 'small-recovery',
): Promise<string> {
  const folder = await writeModels([smallModels()[0]!]);
  const directory = join(folder, from);
  if (from !== 'small-recovery') await cp(join(models, from), directory, { recursive: true });
  await change(directory, (await loadBundle(directory)).manifest);
  return directory;
}

describe('bundles', () => {
  it('are read as they were written', async () => {
    const { bundles, refused } = await loadBundles(models);
    expect(refused).toEqual([]);
    expect(bundles.map(({ manifest }) => manifest.name).sort()).toEqual([
      'small-color',
      'small-gray',
      'small-recovery',
    ]);
    const { manifest } = bundles.find((bundle) => bundle.manifest.name === 'small-recovery')!;
    expect(manifest).toMatchObject({
      task: 'sparse-recovery',
      depth: 5,
      exits: [1, 2, 3, 4, 5],
      task_files: ['matrix.npy'],
    });
    for (const [file, { sha256 }] of Object.entries(manifest.files)) {
      expect(checksum(await readFile(join(models, manifest.name, file)))).toBe(sha256);
    }
  });

  it('give their weights back to training, but a family only where the manifest says how it was made', async () => {
    const weights = await readWeights(join(models, 'small-gray'));
    for (const [name, data] of smallModels()[1]!.weights) expect(weights.get(name)).toEqual(data);
    await expect(readFamily(denoise, join(models, 'small-gray'))).rejects.toThrow(
      /does not say how it was trained/,
    );
  });

  it.each<[string, RegExp, (directory: string, manifest: Manifest) => Promise<unknown>]>([
    ['without a manifest', /manifest\.json is missing/, (d) => rm(join(d, 'manifest.json'))],
    [
      'whose manifest is no JSON',
      /manifest\.json is not JSON/,
      (d) => writeFile(join(d, 'manifest.json'), '{'),
    ],
    [
      'of another schema',
      /manifest\.json does not fit the schema at \/schema_version/,
      (d, m) => writeManifest(d, { ...m, schema_version: 9 }),
    ],
    [
      'with a field of the wrong type',
      /does not fit the schema at \/depth/,
      (d, m) => writeManifest(d, { ...m, depth: 'deep' }),
    ],
    [
      'under another name',
      /names the model other/,
      (d, m) => writeManifest(d, { ...m, name: 'other' }),
    ],
    ['with a layer missing', /layer-03\.onnx is missing/, (d) => rm(join(d, 'layer-03.onnx'))],
    [
      'cut short',
      /layer-02\.onnx has 10 bytes/,
      (d) => writeFile(join(d, 'layer-02.onnx'), Buffer.alloc(10)),
    ],
    [
      'with a flipped bit',
      /layer-02\.onnx does not have the checksum/,
      async (d) => {
        const bytes = await readFile(join(d, 'layer-02.onnx'));
        bytes[50]! ^= 1;
        await writeFile(join(d, 'layer-02.onnx'), bytes);
      },
    ],
    [
      'whose last exit is not its depth',
      /last exit is 5, not the depth 6/,
      (d, m) => writeManifest(d, { ...m, depth: 6 }),
    ],
    [
      'with fewer segments than exits',
      /4 segments for 5 exits/,
      (d, m) => writeManifest(d, { ...m, segments: m.segments.slice(1) }),
    ],
    [
      'that reads what nothing wrote',
      /layer-02\.onnx reads nothing-here/,
      (d, m) =>
        writeManifest(d, {
          ...m,
          segments: m.segments.map((s, i) => (i === 1 ? { ...s, reads: ['nothing-here'] } : s)),
        }),
    ],
    [
      'whose decoder reads what comes later',
      /decode-01\.onnx reads later, which nothing before it writes/,
      (d, m) =>
        writeManifest(d, {
          ...m,
          decoders: [{ exit: m.exits[0]!, file: 'decode-01.onnx', reads: ['later'] }],
        }),
    ],
    [
      'with a file outside of it',
      /not a plain file name/,
      (d, m) => writeManifest(d, { ...m, files: { ...m.files, '../x': m.files['matrix.npy']! } }),
    ],
    [
      'that forgot a file',
      /matrix\.npy is not among its files/,
      (d, m) =>
        writeManifest(d, {
          ...m,
          files: Object.fromEntries(Object.entries(m.files).filter(([f]) => f !== 'matrix.npy')),
        }),
    ],
  ])('%s are refused with a sentence', async (_, says, change) => {
    await expect(loadBundle(await damaged(change))).rejects.toThrow(says);
  });

  it('whose graphs do not fit their manifest are refused by name, while the others serve', async () => {
    const folder = await writeModels();
    const [gray, color] = [join(folder, 'small-gray'), join(folder, 'small-color')];
    const { manifest } = await loadBundle(gray);
    await writeManifest(gray, {
      ...manifest,
      states: manifest.states.map((state) => ({ ...state, shape: ['N', 99, 'h', 'w'] })),
    });
    const shown = (await loadBundle(color)).manifest;
    await writeFile(join(color, 'layer-03.onnx'), 'no model');
    const files = {
      ...shown.files,
      'layer-03.onnx': { sha256: checksum(Buffer.from('no model')), bytes: 8 },
    };
    await writeManifest(color, { ...shown, files });
    const words: string[] = [];
    const engine = await startSmallEngine({
      modelsDir: folder,
      log: (message) => words.push(message),
    });
    expect([...engine.manifests.keys()]).toEqual(['small-recovery']);
    expect(words.join('\n')).toMatch(
      /small-gray is refused: .*layer-02\.onnx: the output next_features is \[N, 8, .*\], not \[N, 99/,
    );
    expect(words.join('\n')).toMatch(/small-color is refused: .*layer-03\.onnx cannot be loaded/);
    await engine.close();
  });

  it.each([
    [
      'one name too few',
      JSON.stringify(smallLabels.slice(1)),
      /labels\.json of small-recognize has 5 names for 6 scores/,
    ],
    ['no list', '{}', /must be a list of strings/],
    ['no JSON', '[', /labels\.json of small-recognize is not JSON/],
  ])('for recognition are refused where labels.json has %s', async (_, text, says) => {
    const directory = join(await writeModels([smallRecognize()]), 'small-recognize');
    const { manifest } = await loadBundle(directory);
    expect(manifest.policies).toEqual(['pi', 'confidence']);
    await writeFile(join(directory, 'labels.json'), text);
    const files = {
      ...manifest.files,
      'labels.json': { sha256: checksum(Buffer.from(text)), bytes: text.length },
    };
    await writeManifest(directory, { ...manifest, files });
    await expect(loadBundle(directory, checkTask)).rejects.toThrow(says);
  });
});
