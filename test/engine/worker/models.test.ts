/** What a loaded file's inputs and outputs must be: the batch stays free. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadBundle } from '../../../src/bundle/read.ts';
import { checkModel, loadModel, releaseModel } from '../../../src/engine/worker/models.ts';
import { toModel } from '../../../src/graph/model.ts';
import { input, reduceMean, sigmoid } from '../../../src/graph/operators.ts';
import { CLASSES, writeTwoExits } from '../../support/two-exits.ts';

let models: string;
beforeEach(async () => (models = await mkdtemp(join(tmpdir(), 'stopwise-'))));
afterEach(() => rm(models, { recursive: true }));

const policy = (batch: number | 'N'): Uint8Array =>
  toModel({ outputs: { pi: sigmoid(reduceMean(input('scores', [batch, CLASSES]), [1], false)) } });
async function change(fields: object): Promise<void> {
  const file = join(models, 'exits', 'manifest.json');
  const manifest = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...manifest, ...fields }));
}
const read = () => loadBundle(join(models, 'exits'));

describe.each([
  ['at load', async () => releaseModel(await loadModel(await read(), 'cpu', 1))],
  ['before its first use', async () => checkModel(await read())],
])('%s', (_, open) => {
  it('a free batch is taken', async () => {
    await writeTwoExits(models, policy('N'));
    await open();
  });

  it.each([1, 2])('a batch of %i is refused by file and port', async (batch) => {
    await writeTwoExits(models, policy('N'), batch);
    await expect(open()).rejects.toThrow(
      new RegExp(`layer-01\\.onnx: the input x is \\[${batch}, 8\\]: its batch is fixed`),
    );
  });

  it('a policy file with a fixed batch is refused', async () => {
    await writeTwoExits(models, policy(3));
    await expect(open()).rejects.toThrow(
      /policy-01\.onnx: the input scores is \[3, 4\]: its batch/,
    );
  });

  it('a batch of 1 is enough where only single samples run', async () => {
    await writeTwoExits(models, policy(1), 1);
    await change({ max_batch: 1 });
    await open();
    await writeTwoExits(models, policy(2), 1);
    await change({ max_batch: 1 });
    await expect(open()).rejects.toThrow(/policy-01\.onnx: .*its batch is fixed/);
  });
});
