/** Reads bundles, and refuses those whose parts do not fit, each with a sentence that names the file and the mismatch. */
import { createHash } from 'node:crypto';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { Compile } from 'typebox/compile';
import { shortened } from '../errors.ts';
import { at, entry } from '../util/at.ts';
import { messageOf } from '../util/message-of.ts';
import { FLOAT, Manifest, policiesOf, SCHEMA_VERSION, segmentExits } from './manifest.ts';

/** A folder with a model and its manifest, whose files match their checksums. */
export interface Bundle {
  readonly directory: string;
  readonly manifest: Manifest;
  /** Tells it from those that were loaded from the same folder before; absent for one that was read at the start. */
  readonly generation?: number;
}

/** A bundle that is not served, by the name of its folder or model. */
export interface Refusal {
  readonly name: string;
  /** What is wrong, in a sentence. */
  readonly reason: string;
  /** It was to replace a bundle of the name, which is still served. */
  readonly isReplacement?: boolean;
}

/** A further check of a bundle, such as its task's; throws a sentence where it is to be refused. */
export type CheckBundle = (
  manifest: Manifest,
  read: (file: string) => Promise<Uint8Array>,
) => Promise<void>;

const MANIFEST = 'manifest.json';
/** Names of folders that may hold a bundle: NAME, or NAME@VERSION. */
export const FOLDER_NAME = /^[a-z0-9][a-z0-9._-]*(@[A-Za-z0-9][A-Za-z0-9._-]*)?$/;
/** The longest file name: it must fit into a part of a URL. */
const MAX_FILE_NAME = 100;
const schema = Compile(Manifest);

/** Reads every folder below `directory` that holds a manifest; damaged ones are refused, the others are given. */
export async function loadBundles(
  directory: string,
  check?: CheckBundle,
): Promise<{ bundles: Bundle[]; refused: Refusal[] }> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    throw new Error(
      `There is no folder of models at ${directory}. Set MODELS_DIR to one, or train a model first.`,
      { cause: error },
    );
  });
  const bundles: Bundle[] = [];
  const refused: Refusal[] = [];
  for (const { name } of entries.filter((entry) => !entry.name.startsWith('.'))) {
    try {
      // Follows symbolic links: volumes use them.
      if (!(await stat(join(directory, name))).isDirectory()) continue;
      bundles.push(await loadBundle(join(directory, name), check));
    } catch (error) {
      refused.push({ name, reason: messageOf(error) });
    }
  }
  return { bundles, refused };
}

/**
 * A bundle whose files match. One in a folder NAME@VERSION goes by that name, beside the others of NAME, and is no default.
 * @throws where the manifest, a file or a checksum does not fit
 */
export async function loadBundle(directory: string, check?: CheckBundle): Promise<Bundle> {
  const read = await readManifest(directory);
  const folder = basename(directory);
  const manifest = folder === read.name ? read : { ...read, name: folder, default: false };
  checkPath(manifest);
  await checkFiles(directory, manifest);
  await check?.(manifest, (file) => readFile(join(directory, file)));
  return { directory, manifest };
}

/** The manifest of a bundle; one of schema 1 is given as schema 2, of which it is a subset. */
export async function readManifest(directory: string): Promise<Manifest> {
  const file = join(directory, MANIFEST);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new Error(`${file} is missing.`, { cause: error });
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${file} is not JSON: ${messageOf(error)}`, { cause: error });
  }
  if (!schema.Check(value)) {
    const [first] = schema.Errors(value);
    throw new Error(
      `${file} does not fit the schema at ${first?.instancePath || '/'}: ${first?.message ?? 'it is not a manifest'}.`,
    );
  }
  const folder = basename(directory);
  if (folder !== value.name && folder !== `${value.name}@${value.version}`)
    throw new Error(
      `${file} names the model ${value.name}, version ${value.version}, but its folder is ${folder}; it must be ${value.name} or ${value.name}@${value.version}.`,
    );
  return { ...value, schema_version: SCHEMA_VERSION };
}

/** The segments cover the layers in order, end at the exits, and read only what is there by then. */
function checkPath(manifest: Manifest): void {
  const { name, depth, exits, segments, inputs, states, path } = manifest;
  const refuse = (why: string): never => {
    throw new Error(`${MANIFEST} of ${name}: ${why}.`);
  };
  if (exits.at(-1) !== depth) refuse(`the last exit is ${exits.at(-1)}, not the depth ${depth}`);
  if (exits.some((exit, i) => exit <= (exits[i - 1] ?? -1)))
    refuse(`the exits ${exits.join(', ')} do not rise`);
  if (!policiesOf(manifest).includes('pi')) refuse('its policies do not have pi among them');
  const withoutSegment = exits.length - segments.length;
  if (withoutSegment !== 0 && !(withoutSegment === 1 && exits[0] === 0))
    refuse(`${segments.length} segments for ${exits.length} exits`);
  if (path !== undefined && (exits[0] === 0 || manifest.policy_files?.length))
    refuse('path goes neither with exit 0 nor with policy_files');
  const known = new Set(inputs.map((port) => port.name));
  const stateNames = new Set(states.map((port) => port.name));
  if (withoutSegment === 1) checkExit(manifest, 0, known, [...known], refuse);
  let before = 0;
  for (const [i, exit] of segmentExits(manifest).entries()) {
    const { first, last, reads, writes, file } = at(segments, i);
    const expected = exit === 0 ? 0 : before + 1;
    if (first !== expected || last !== exit)
      refuse(
        `${file} holds the layers ${first} to ${last}, but exit ${exit} needs ${expected} to ${exit}`,
      );
    before = exit;
    for (const read of reads)
      if (!known.has(read)) refuse(`${file} reads ${read}, which nothing before it writes`);
    for (const write of writes)
      if (!stateNames.has(write)) refuse(`${file} writes ${write}, which is not among the states`);
    writes.forEach((write) => known.add(write));
    checkExit(manifest, exit, known, writes, refuse);
  }
  checkVariants(manifest, refuse);
  checkMentioned(manifest, refuse);
}

/** At `exit` a decoder or one of the `given` values is each output, and decoders and policy read only what is `known`. */
function checkExit(
  { decoders, policy_files: policies = [], variants = [], outputs }: Manifest,
  exit: number,
  known: ReadonlySet<string>,
  given: readonly string[],
  refuse: (why: string) => never,
): void {
  const decoder = decoders.find((entry) => entry.exit === exit);
  const own = variants.flatMap((variant) => variant.decoders ?? []);
  for (const { file, reads } of [...decoders, ...policies, ...own].filter(
    (one) => one.exit === exit,
  ))
    for (const read of reads)
      if (!known.has(read)) refuse(`${file} reads ${read}, which nothing before it writes`);
  const missing = decoder ? undefined : outputs.find((port) => !given.includes(port.name));
  if (missing) refuse(`at exit ${exit} no decoder and no state gives the output ${missing.name}`);
}

function checkVariants(
  { variants = [], segments, statistic, exits, calibration }: Manifest,
  refuse: (why: string) => never,
): void {
  const { file, last, writes } = at(segments, 0);
  const taken = new Set([FLOAT]);
  for (const { name, segments: files, decoders = [], calibration: own } of variants) {
    if (taken.has(name)) refuse(`there are two variants ${name}; ${FLOAT} is the bundle's own`);
    taken.add(name);
    if (statistic === undefined) refuse(`the variant ${name} needs a statistic to be chosen by`);
    if (files.length !== segments.length)
      refuse(`the variant ${name} has ${files.length} files for ${segments.length} segments`);
    if (files[0] !== file)
      refuse(`the variant ${name} begins with ${files[0]}, not with ${file}, which chooses it`);
    if (own && own.unit !== calibration?.unit)
      refuse(`the calibration of the variant ${name} is in ${own.unit}, unlike the bundle's`);
    for (const { file: decoder, exit } of decoders)
      if (exit === 0 || !exits.includes(exit))
        refuse(`${decoder} reads out exit ${exit}, which the variant ${name} does not run to`);
  }
  if (statistic !== undefined && !(last === 0 && writes.includes(statistic)))
    refuse(`no segment with first: 0 writes the statistic ${statistic}`);
}

function checkMentioned(manifest: Manifest, refuse: (why: string) => never): void {
  const {
    segments,
    decoders,
    policy_files = [],
    variants = [],
    path,
    task_files,
    files,
  } = manifest;
  const mentioned = [
    ...[...segments, ...decoders, ...policy_files].map(({ file }) => file),
    ...variants.flatMap(({ segments, decoders = [] }) => [
      ...segments,
      ...decoders.map(({ file }) => file),
    ]),
    ...(path ? [path] : []),
    ...task_files,
  ];
  for (const file of mentioned) if (!files[file]) refuse(`${file} is not among its files`);
  for (const file of Object.keys(files))
    if (file !== basename(file) || file.startsWith('.') || file.length > MAX_FILE_NAME)
      refuse(`${shortened(file)} is not a plain file name of up to ${MAX_FILE_NAME} characters`);
}

/** @throws a sentence where a file of the bundle is not as the manifest has it */
export async function checkFiles(directory: string, manifest: Manifest): Promise<void> {
  for (const name of Object.keys(manifest.files)) await readVerified(directory, manifest, name);
}

/**
 * A file of a bundle, as its manifest has it.
 * @throws a sentence where it is missing, lies outside the bundle's folder, or has another size or checksum
 */
export async function readVerified(
  directory: string,
  { files }: Pick<Manifest, 'files'>,
  name: string,
): Promise<Buffer> {
  const { sha256, bytes } = entry(files, name);
  const file = join(directory, name);
  const [folder, target] = await Promise.all([realpath(directory), realpath(file)]).catch(
    (error: unknown) => {
      throw new Error(`${file} is missing.`, { cause: error });
    },
  );
  if (!target.startsWith(folder + sep))
    throw new Error(`${file} is a link that leads out of the bundle.`);
  const info = await stat(target);
  if (!info.isFile()) throw new Error(`${file} is not a file.`);
  if (info.size !== bytes)
    throw new Error(`${file} has ${info.size} bytes, not the ${bytes} of its manifest.`);
  const content = await readFile(target);
  if (checksum(content) !== sha256)
    throw new Error(`${file} does not have the checksum of its manifest.`);
  return content;
}

/** SHA-256 as 64 lower-case hexadecimal digits, the form in which manifests hold it. */
export const checksum = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');
