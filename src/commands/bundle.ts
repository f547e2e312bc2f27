/** `bundle`: checks a bundle as the service does, and writes the checksums of one that was made by hand. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import Type from 'typebox';
import Value from 'typebox/value';
import type { Manifest } from '../bundle/manifest.ts';
import { checksum, loadBundle } from '../bundle/read.ts';
import { writeManifest } from '../bundle/write.ts';
import { startEngine } from '../evaluation/measure.ts';
import { checkTask } from '../tasks/by-name.ts';
import { messageOf } from '../util/message-of.ts';
import { DEFAULT_THRESHOLD } from '../stopping/rules.ts';

/** Help text of `bundle`. */
export const usage = `npm run bundle -- check DIR    checks a bundle as the service does at start, and runs each of its files once
npm run bundle -- seal DIR     writes the sizes and checksums of the folder's files into manifest.json`;

const actions: Readonly<Record<string, (directory: string) => Promise<void>>> = { check, seal };

/** Runs `check` or `seal` on a folder. @throws Error that names the file and how to repair it */
export async function bundleCommand([
  name = '',
  folder,
  ...rest
]: readonly string[]): Promise<void> {
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (!action || folder === undefined || rest.length > 0) throw new Error(usage);
  await action(resolve(folder));
}

async function check(directory: string): Promise<void> {
  const { manifest } = await loadBundle(directory, checkTask).catch((error: unknown) => {
    throw withFix(messageOf(error), error);
  });
  const only = [manifest.name];
  const engine = await startEngine(dirname(directory), only, { variants: 'auto' }).catch(
    (error: unknown) => {
      throw withFix(messageOf(error), error);
    },
  );
  try {
    const refused = engine.refused.find(({ name }) => name === manifest.name);
    if (refused) throw withFix(refused.reason);
    console.log(summaryOf(manifest));
    for (const { name } of manifest.variants ?? []) {
      const declined = engine.repository.variantDeclined(manifest.name, name);
      console.log(
        `the variant ${name} is ${declined ? `not used here: ${declined}` : 'used here'}`,
      );
    }
  } finally {
    await engine.close();
  }
}

const summaryOf = ({ name, task, depth, exits, inputs, outputs, ...rest }: Manifest): string => {
  const ports = (list: typeof inputs) =>
    list.map((port) => `${port.name} [${port.shape.join(', ')}]`).join(', ');
  const rule = rest.calibration
    ? 'certified tolerances'
    : `threshold ${rest.threshold ?? `${DEFAULT_THRESHOLD} (not calibrated)`}`;
  return [
    `${name} can be served: task ${task}, ${depth} layers, exits ${exits.join(', ')}, ${rule}.`,
    `inputs: ${ports(inputs)}; outputs: ${ports(outputs)}`,
  ].join('\n');
};

/** What to do about a refusal, by its words. */
const fixes: readonly (readonly [RegExp, string])[] = [
  [
    /checksum|has \d+ bytes, not|not among its files/,
    'If the files are as they should be: npm run bundle -- seal DIR.',
  ],
  [
    /manifest\.json is missing/,
    'Write one, or export with examples/export-from-pytorch.py; docs/models.md has the fields.',
  ],
  [
    /does not fit the schema/,
    'docs/models.md has the fields; docs/manifest.schema.json is the schema for an editor.',
  ],
  [/its batch is fixed/, 'docs/models.md shows the call under "From PyTorch".'],
  [/is missing/, 'Put the file there, or take it out of the manifest.'],
  [/outside \[0, 1\]|\bpi\b|π/, 'pi must be [N] in (0, 1): end the policy with a sigmoid.'],
  [/names the model/, 'Rename the folder, or change name in manifest.json.'],
];

function withFix(reason: string, cause?: unknown): Error {
  const fix = fixes.find(([pattern]) => pattern.test(reason))?.[1];
  return new Error(fix ? `${reason}\n${fix}` : reason, { cause });
}

/** What a manifest must have before it lists its files. */
const Named = Type.Object({ name: Type.String() });

async function seal(directory: string): Promise<void> {
  const file = join(directory, 'manifest.json');
  const manifest = JSON.parse(
    await readFile(file, 'utf8').catch((error: unknown) => {
      throw new Error(`${file} is missing.`, { cause: error });
    }),
  ) as unknown;
  if (!Value.Check(Named, manifest)) throw new Error(`${file} is no JSON object with a name.`);
  const files: Manifest['files'] = {};
  for (const name of (await readdir(directory)).sort()) {
    if (name === basename(file) || name.startsWith('.')) continue;
    const bytes = await readFile(join(directory, name));
    files[name] = { sha256: checksum(bytes), bytes: bytes.length };
  }
  await writeManifest(directory, { ...manifest, files });
  console.log(`${file} lists ${Object.keys(files).length} files.`);
}
