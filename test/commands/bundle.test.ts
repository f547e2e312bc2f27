/** `bundle check` and `bundle seal` on a bundle that is damaged in turn. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { manifestJsonSchema, type Manifest } from '../../src/bundle/manifest.ts';
import { bundleCommand } from '../../src/commands/bundle.ts';
import { smallModels, writeModels } from '../support/small.ts';
import { writeTwoExits } from '../support/two-exits.ts';
import { writeTwoForms } from '../support/two-forms.ts';

let bundle: string;
let said: string[];
beforeEach(async () => {
  const recovery = smallModels().find(({ name }) => name === 'small-recovery')!;
  bundle = join(await writeModels([recovery]), 'small-recovery');
  said = [];
  vi.spyOn(console, 'log').mockImplementation((text: string) => void said.push(text));
});
afterEach(() => vi.restoreAllMocks());

const check = () => bundleCommand(['check', bundle]);
async function change(edit: (manifest: Manifest) => object): Promise<void> {
  const file = join(bundle, 'manifest.json');
  const manifest = JSON.parse(await readFile(file, 'utf8')) as Manifest;
  await writeFile(file, JSON.stringify({ ...manifest, ...edit(manifest) }));
}

it('says that a bundle can be served, and what it takes and gives', async () => {
  await check();
  expect(said.join('\n')).toMatch(
    /small-recovery can be served: .*exits 1, 2, 3, 4, 5.*\ninputs: measurements \[N, 12\]; outputs: signal \[N, 24\]/,
  );
});

it('runs the files of variants too, and says whether they are used on this machine', async () => {
  const models = dirname(bundle);
  for (const slow of ['float', 'int8'] as const) {
    await writeTwoForms(models, 'forms', { slow });
    await bundleCommand(['check', join(models, 'forms')]);
    expect(said.at(-1)).toMatch(
      slow === 'float'
        ? /^the variant int8 is used here$/
        : /^the variant int8 is not used here: it is no faster here: .* ms$/,
    );
  }
  const bad = { 'int8-03.onnx': Buffer.from('int8') };
  await writeTwoForms(models, 'forms', { files: bad });
  await expect(bundleCommand(['check', join(models, 'forms')])).rejects.toThrow(/int8-03\.onnx/);
});

describe('check names the file and the fix', () => {
  it.each<[string, () => Promise<void>, RegExp]>([
    [
      'a changed file',
      () => writeFile(join(bundle, 'matrix.npy'), 'x'),
      /matrix\.npy has 1 bytes, not the .*\n.*bundle -- seal/,
    ],
    [
      'a missing file',
      () => rm(join(bundle, 'layer-02.onnx')),
      /layer-02\.onnx is missing\.\nPut the file there/,
    ],
    [
      'no manifest',
      () => rm(join(bundle, 'manifest.json')),
      /manifest\.json is missing\.\nWrite one/,
    ],
    [
      'a wrong field',
      () => change(() => ({ depth: 'five' })),
      /manifest\.json does not fit the schema at \/depth.*\n.*manifest\.schema\.json/,
    ],
    [
      'an output that is not there',
      () => change(({ outputs }) => ({ outputs: [{ ...outputs[0]!, shape: ['N', 25] }] })),
      /matrix\.npy of small-recovery is \(12, 24\), not \(12, 25\)/,
    ],
  ])('for %s', async (_, damage, message) => {
    await damage();
    await expect(check()).rejects.toThrow(message);
  });

  it('for a renamed folder', async () => {
    const other = join(dirname(bundle), 'other');
    await rename(bundle, other);
    await expect(bundleCommand(['check', other])).rejects.toThrow(
      /names the model small-recovery.*\nRename the folder/,
    );
  });

  it('for a graph whose batch is fixed', async () => {
    const models = dirname(bundle);
    await writeTwoExits(models, undefined, 2);
    await expect(bundleCommand(['check', join(models, 'exits')])).rejects.toThrow(
      /layer-01\.onnx: the input x is \[2, 8\]: its batch is fixed\. .*dynamic_axes=\{'x': \{0: 'N'\}\}, or dynamic_shapes.*\ndocs\/models\.md/,
    );
  });

  it('for a graph that does not fit the manifest', async () => {
    await change(({ inputs }) => ({
      task: 'tensor',
      inputs: [{ ...inputs[0]!, shape: ['N', 13] }],
    }));
    await expect(check()).rejects.toThrow(/layer-01\.onnx/);
  });
});

it('seal lists the files as they are', async () => {
  await change(() => ({ files: {} }));
  await expect(check()).rejects.toThrow(/is not among its files/);
  await bundleCommand(['seal', bundle]);
  await check();
});

it('wants an action and a folder', async () => {
  await expect(bundleCommand(['sing', bundle])).rejects.toThrow(/bundle -- check DIR/);
  await expect(bundleCommand(['check'])).rejects.toThrow(/bundle -- check DIR/);
});

it('the published JSON Schema is that of the code', async () => {
  const published = JSON.parse(await readFile('docs/manifest.schema.json', 'utf8')) as object;
  expect(published).toEqual(JSON.parse(JSON.stringify(manifestJsonSchema)));
});
