/** Task files are served as they were verified at the start. */
import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Manifest } from '../../src/bundle/manifest.ts';
import { checksum, loadBundles } from '../../src/bundle/read.ts';
import { smallModels, writeModels } from '../support/small.ts';
import { startSmallService, type SmallService } from './support.ts';

const NAME = 'small-recovery';
const URL = `/v1/models/${NAME}/files/matrix.npy`;
let pristine: string;
let modelsDir: string;
let service: SmallService;
beforeAll(async () => {
  pristine = await writeModels(smallModels().filter(({ name }) => name === NAME));
  modelsDir = await copy();
  service = await startSmallService({ modelsDir });
});
afterAll(() => service.close());

async function copy(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stopwise-files-'));
  await cp(pristine, folder, { recursive: true });
  return folder;
}

const body = JSON.stringify({ measurements: Array.from({ length: 12 }, (_, i) => Math.sin(i)) });
const recover = () =>
  service.app.inject({
    method: 'POST',
    url: '/v1/recover?rule=fixed&depth=5',
    payload: body,
    headers: { 'content-type': 'application/json' },
  });

describe('a bundle that changes on disk while it is served', () => {
  it('goes on as it was loaded, whatever becomes of its folder', async () => {
    const matrix = await readFile(join(pristine, NAME, 'matrix.npy'));
    const before = (await recover()).json<{ signals: number[][] }>().signals;
    const changes: (() => Promise<unknown>)[] = [
      () => writeFile(join(modelsDir, NAME, 'matrix.npy'), 'something else'),
      async () => {
        await rm(join(modelsDir, NAME, 'matrix.npy'));
        await symlink('/etc/passwd', join(modelsDir, NAME, 'matrix.npy'));
      },
      async () => {
        await rename(join(modelsDir, NAME), join(modelsDir, '.old'));
        await mkdir(join(modelsDir, NAME));
      },
      () => rm(modelsDir, { recursive: true }),
    ];
    for (const change of changes) {
      await change();
      const answer = await service.app.inject({ url: URL });
      expect([answer.statusCode, answer.rawPayload.equals(matrix)]).toEqual([200, true]);
      expect((await recover()).json<{ signals: number[][] }>().signals).toEqual(before);
    }
  });
});

describe('what is taken as a bundle', () => {
  const names = async (folder: string): Promise<string[]> =>
    (await loadBundles(folder)).bundles.map(({ manifest }) => manifest.name);

  it('a folder behind a symbolic link, and links within it, as volumes make them', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'stopwise-links-'));
    const volume = await copy();
    await rename(join(volume, NAME), join(volume, '..data'));
    await mkdir(join(volume, NAME));
    await rename(join(volume, '..data'), join(volume, NAME, '..data'));
    for (const file of await readManifestFiles(join(volume, NAME, '..data')))
      await symlink(join('..data', file), join(volume, NAME, file));
    await symlink(join(volume, NAME), join(folder, NAME));
    expect(await names(folder)).toEqual([NAME]);
  });

  it('not one with a link out of its folder, although the checksum fits', async () => {
    const folder = await copy();
    const outside = join(await copy(), NAME, 'matrix.npy');
    await rm(join(folder, NAME, 'matrix.npy'));
    await symlink(outside, join(folder, NAME, 'matrix.npy'));
    const { bundles, refused } = await loadBundles(folder);
    expect(bundles).toEqual([]);
    expect(refused[0]).toMatchObject({
      name: NAME,
      reason: expect.stringMatching(/matrix\.npy is a link that leads out of the bundle/) as string,
    });
  });

  it('not one with a name that no URL holds, and a broken link only as a refusal', async () => {
    const folder = await copy();
    const long = `${'n'.repeat(120)}.npy`;
    await change(join(folder, NAME), (manifest) => {
      manifest.files[long] = { sha256: checksum(Buffer.from('')), bytes: 0 };
    });
    await symlink('/nowhere', join(folder, 'gone'));
    const { bundles, refused } = await loadBundles(folder);
    expect(bundles).toEqual([]);
    expect(refused.map(({ name, reason }) => [name, reason.length < 300])).toEqual(
      expect.arrayContaining([
        [NAME, true],
        ['gone', true],
      ]),
    );
    const renamed = await copy();
    const name = 'm'.repeat(65);
    await rename(join(renamed, NAME), join(renamed, name));
    await change(join(renamed, name), (manifest) => Object.assign(manifest, { name }));
    expect(await names(renamed)).toEqual([]);
  });
});

async function change(folder: string, edit: (manifest: Manifest) => void): Promise<void> {
  const file = join(folder, 'manifest.json');
  const manifest = JSON.parse(await readFile(file, 'utf8')) as Manifest;
  edit(manifest);
  await writeFile(file, JSON.stringify(manifest));
}

async function readManifestFiles(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, 'manifest.json'), 'utf8');
  return ['manifest.json', ...Object.keys((JSON.parse(text) as Manifest).files)];
}
