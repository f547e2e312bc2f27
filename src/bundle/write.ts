import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { modelOf, type Manifest } from './manifest.ts';
import { checksum } from './read.ts';

/**
 * Writes a bundle beside its place and then moves it there, so that a reader sees the old one or the new one.
 * @param directory the bundle's folder, which the model's name names
 * @param contents every file but the manifest
 */
export async function writeBundle(
  directory: string,
  manifest: Omit<Manifest, 'files'>,
  contents: ReadonlyMap<string, Uint8Array>,
): Promise<Manifest> {
  const files = Object.fromEntries(
    [...contents].map(([name, bytes]) => [name, { sha256: checksum(bytes), bytes: bytes.length }]),
  );
  const whole: Manifest = { ...manifest, files };
  const fresh = join(dirname(directory), `.${basename(directory)}.new`);
  const old = join(dirname(directory), `.${basename(directory)}.old`);
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true });
  for (const [name, bytes] of contents) await writeFile(join(fresh, name), bytes);
  await writeManifest(fresh, whole);
  await rm(old, { recursive: true, force: true });
  await rename(directory, old).catch(() => undefined);
  await rename(fresh, directory);
  await rm(old, { recursive: true, force: true });
  return whole;
}

/** Replaces the manifest of a bundle, its files left as they are. */
export async function writeManifest(
  directory: string,
  manifest: { readonly name: string; readonly [field: string]: unknown },
): Promise<void> {
  const file = join(directory, 'manifest.json');
  const content = { ...manifest, name: modelOf(manifest.name) };
  await writeFile(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`);
  await rename(`${file}.new`, file);
}
