/** Loads a bundle: opens its sessions and checks them against the manifest. */
import type { Bundle } from '../../bundle/read.ts';
import {
  outputName,
  policiesOf,
  type Calibration,
  type ExitFile,
  type Manifest,
  type Port,
  type Segment,
  type Variant,
} from '../../bundle/manifest.ts';
import type { Provider, Session } from '../../runtime/session.ts';
import { at, entry } from '../../util/at.ts';
import { openDeclared, openSession, type Open } from './files.ts';

/** A segment with its session open, and what warm-up and runs have measured of it. */
export interface LoadedSegment extends Segment {
  readonly session: Session;
  /** The largest batch that is faster than smaller ones; the warm-up sets it. */
  limit: number;
  /** Measured time per element of the inputs, ms: a running mean; 0 before the first run. */
  msPerElement: number;
  /** Mean absolute deviation of that time, ms per element; once it has run. */
  deviation?: number;
}

/** A graph that runs at an exit: a decoder, or a policy in a file of its own. */
export interface LoadedExitFile {
  readonly reads: readonly string[];
  readonly session: Session;
}

/** All layers in one graph, for one sample. */
export interface LoadedPath {
  readonly session: Session;
  /** Whether the warm-up found it faster than the segments one by one. */
  isFaster: boolean;
  /** Measured time per element of the inputs, ms: a running mean. */
  msPerElement: number;
}

/** Another numeric form of the path with its sessions open. */
export interface LoadedVariant {
  readonly name: string;
  /** The range of the input statistic in which it may be used. */
  readonly statistic: Variant['statistic'];
  readonly calibration?: Calibration;
  /** Those whose file is the model's own are the model's. */
  readonly segments: readonly LoadedSegment[];
  /** Its own, by depth of the exit. */
  readonly decoders: ReadonlyMap<number, LoadedExitFile>;
}

/** A variant that is not used, and why. */
export interface Declined {
  readonly name: string;
  readonly reason: string;
}

/** A bundle with all its sessions open, ready to run. */
export interface LoadedModel {
  readonly manifest: Manifest;
  /** The bundle's folder. */
  readonly directory: string;
  readonly segments: readonly LoadedSegment[];
  /** The exit, from 0, at which the first segment ends: 1 where exit 0 has no segment. */
  readonly firstExit: number;
  /** By depth of the exit. */
  readonly decoders: ReadonlyMap<number, LoadedExitFile>;
  /** Policies in files of their own, by depth of the exit. */
  readonly policyFiles: ReadonlyMap<number, LoadedExitFile>;
  readonly path?: LoadedPath;
  /** Those that are used, in the manifest's order; the warm-up takes out those that are slower than float. */
  readonly variants: LoadedVariant[];
  readonly declined: Declined[];
}

/**
 * @param declines says why a variant is not to be opened; its files are checked by what they declare
 * @throws an error that names the file where it cannot be loaded or does not match the manifest
 */
export async function loadModel(
  bundle: Bundle,
  provider: Provider,
  threads: number,
  declines: (variant: string) => string | undefined = () => undefined,
): Promise<LoadedModel> {
  const { directory, manifest } = bundle;
  const keepMemory = isWithin(manifest, MAX_KEPT_FLOPS);
  const open = openSession(bundle, { provider, threads, keepMemory });
  const segments = await loadSegments(manifest, open);
  const decoders = await loadExitFiles(manifest, manifest.decoders, manifest.outputs, open);
  const policyFiles = await loadExitFiles(manifest, manifest.policy_files ?? [], [PI], open);
  const firstExit = manifest.exits.length - segments.length;
  // On WebGPU the `If` conditions are read back to the host after every segment, so one graph gains nothing.
  const path =
    provider === 'webgpu' || !isWithin(manifest, MAX_PATH_FLOPS)
      ? undefined
      : await loadPath(manifest, open);
  const variants: LoadedVariant[] = [];
  const declined: Declined[] = [];
  for (const variant of manifest.variants ?? []) {
    const reason = declines(variant.name);
    if (reason === undefined) variants.push(await loadVariant(manifest, variant, open, segments));
    else {
      await loadVariant(manifest, variant, openDeclared(bundle));
      declined.push({ name: variant.name, reason });
    }
  }
  return {
    ...{ manifest, directory, segments, firstExit, decoders, policyFiles, variants, declined },
    ...(path && { path }),
  };
}

/**
 * Checks every file of a bundle against its manifest by what the file declares, and opens none.
 * @throws an error that names the file
 */
export async function checkModel(bundle: Bundle): Promise<void> {
  const { manifest } = bundle;
  const open = openDeclared(bundle);
  await loadSegments(manifest, open);
  await loadExitFiles(manifest, manifest.decoders, manifest.outputs, open);
  await loadExitFiles(manifest, manifest.policy_files ?? [], [PI], open);
  await loadPath(manifest, open);
  for (const variant of manifest.variants ?? []) await loadVariant(manifest, variant, open);
}

/**
 * Networks with more work than this for a sample are never opened as one graph, FLOPs: it saves a few calls of 35 µs, and
 * its `If` branches run slower than segments (no blocked convolutions).
 */
const MAX_PATH_FLOPS = 5e8;

/** Above this many FLOPs per sample a network's memory is freed after each run: it is large, and allocating it again takes little of the time. */
const MAX_KEPT_FLOPS = 5e7;

/** Whether a sample takes at most `most` FLOPs; never where they are counted by the pixel. */
const isWithin = ({ flops }: Manifest, most: number): boolean =>
  flops.per === 'sample' && flops.segments.reduce((a, b) => a + b, 0) <= most;

/** Whether exit 0 can be read out of the inputs alone, before any segment has run. */
export function givesInputBack({ manifest, decoders }: LoadedModel): boolean {
  if (manifest.exits[0] !== 0) return false;
  const needed = decoders.get(0)?.reads ?? manifest.outputs.map(({ name }) => name);
  return needed.every((name) => manifest.inputs.some((input) => input.name === name));
}

const PI: Port = { name: 'pi', dtype: 'float32', shape: ['N'] };

/** The ports of these inputs, states or outputs. */
function portsOf({ inputs, states, outputs }: Manifest, names: readonly string[]): Port[] {
  const ports = Object.fromEntries(
    [...inputs, ...states, ...outputs].map((port) => [port.name, port]),
  );
  return names.map((name) => entry(ports, name));
}

/** A segment whose session is of another kind: `undefined` where its file is only checked. */
type SegmentOf<S> = Omit<LoadedSegment, 'session'> & { readonly session: S };

/** @param known is taken in place of a segment of the same file */
async function loadSegments<S>(
  manifest: Manifest,
  open: Open<S>,
  known: readonly SegmentOf<S>[] = [],
): Promise<SegmentOf<S>[]> {
  const { outputs, policy_files: files = [], statistic, depth } = manifest;
  const onHost = new Set([...outputs.map(({ name }) => name), statistic]);
  const loaded: SegmentOf<S>[] = [];
  for (const [i, segment] of manifest.segments.entries()) {
    const same = known[i];
    if (same?.file === segment.file) {
      loaded.push(same);
      continue;
    }
    const resident = segment.writes.filter((name) => !onHost.has(name)).map(outputName);
    const writes = portsOf(manifest, segment.writes).map((port) => ({
      ...port,
      name: outputName(port.name),
    }));
    const hasPolicyFile = files.some(({ exit }) => exit === segment.last);
    if (segment.last < depth && !hasPolicyFile)
      writes.push(...policiesOf(manifest).map((name) => ({ ...PI, name })));
    const session = await open(segment.file, portsOf(manifest, segment.reads), writes, resident);
    loaded.push({ ...segment, session, limit: 1, msPerElement: 0 });
  }
  return loaded;
}

async function loadExitFiles<S>(
  manifest: Manifest,
  files: readonly ExitFile[],
  writes: readonly Port[],
  open: Open<S>,
): Promise<Map<number, Omit<LoadedExitFile, 'session'> & { readonly session: S }>> {
  const loaded: Awaited<ReturnType<typeof loadExitFiles<S>>> = new Map();
  for (const { file, exit, reads } of files) {
    const session = await open(file, portsOf(manifest, reads), writes);
    loaded.set(exit, { reads, session });
  }
  return loaded;
}

async function loadPath<S>(
  manifest: Manifest,
  open: Open<S>,
): Promise<(Omit<LoadedPath, 'session'> & { readonly session: S }) | undefined> {
  const { path, exits, depth, inputs, outputs } = manifest;
  if (path === undefined || depth === exits[0]) return undefined;
  const thresholds: Port = { name: 'thresholds', dtype: 'float32', shape: [exits.length - 1] };
  const { length } = policiesOf(manifest);
  const policy: Port[] = length > 1 ? [{ name: 'policy', dtype: 'float32', shape: [length] }] : [];
  const decision: Port[] = [
    { ...thresholds, name: 'pi' },
    { name: 'step', dtype: 'float32', shape: [] },
  ];
  const session = await open(path, [...inputs, thresholds, ...policy], [...outputs, ...decision]);
  return { session, isFaster: false, msPerElement: 0 };
}

/** @param known segments of the model */
async function loadVariant<S>(
  manifest: Manifest,
  { name, segments: files, statistic, decoders = [], calibration }: Variant,
  open: Open<S>,
  known: readonly SegmentOf<S>[] = [],
) {
  const segments = manifest.segments.map((segment, i) => ({ ...segment, file: at(files, i) }));
  return {
    name,
    statistic,
    ...(calibration && { calibration }),
    segments: await loadSegments({ ...manifest, segments }, open, known),
    decoders: await loadExitFiles(manifest, decoders, manifest.outputs, open),
  };
}

/** Takes a variant out of use and frees its sessions. */
export async function declineVariant(
  { variants, declined, segments: shared }: LoadedModel,
  variant: LoadedVariant,
  reason: string,
): Promise<void> {
  const { name, segments, decoders } = variant;
  variants.splice(variants.indexOf(variant), 1);
  declined.push({ name, reason });
  const own = segments.filter((segment) => !shared.includes(segment));
  for (const { session } of [...own, ...decoders.values()]) await session.release();
}

/** Frees the sessions of a model; it must not be run afterwards. */
export async function releaseModel(model: LoadedModel): Promise<void> {
  const { segments, decoders, policyFiles, path } = model;
  for (const variant of [...model.variants]) await declineVariant(model, variant, 'it was freed');
  const all = [...segments, ...decoders.values(), ...policyFiles.values(), ...(path ? [path] : [])];
  for (const { session } of all) await session.release();
}
