/** Loads a bundle: opens its sessions and checks them against the manifest. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { declaredPorts } from '../../bundle/onnx-ports.ts';
import type { Bundle } from '../../bundle/read.ts';
import {
  hasFixedInputs,
  outputName,
  policiesOf,
  type ExitFile,
  type Manifest,
  type Port,
  type Segment,
} from '../../bundle/manifest.ts';
import { Session, type Provider } from '../../runtime/session.ts';
import { entry } from '../../util/at.ts';
import { messageOf } from '../../util/message-of.ts';

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
}

/** @throws an error that names the file where it cannot be loaded or does not match the manifest */
export async function loadModel(
  bundle: Bundle,
  provider: Provider,
  threads: number,
): Promise<LoadedModel> {
  const { directory, manifest } = bundle;
  const keepMemory = isWithin(manifest, MAX_KEPT_FLOPS);
  const open: Open<Session> = async (file, reads, writes, resident = []) => {
    const path = join(directory, file);
    const options = { provider, threads, resident, keepMemory };
    const session = await Session.load(path, options).catch((error: unknown) => {
      throw new Error(`${path} cannot be loaded by the ${provider} provider: ${messageOf(error)}`, {
        cause: error,
      });
    });
    check(path, session, reads, writes, mayFixBatch(manifest, file));
    return session;
  };
  const segments = await loadSegments(manifest, open);
  const decoders = await loadExitFiles(manifest, manifest.decoders, manifest.outputs, open);
  const policyFiles = await loadExitFiles(manifest, manifest.policy_files ?? [], [PI], open);
  const firstExit = manifest.exits.length - segments.length;
  // On WebGPU the `If` conditions are read back to the host after every segment, so one graph gains nothing.
  const path =
    provider === 'webgpu' || !isWithin(manifest, MAX_PATH_FLOPS)
      ? undefined
      : await loadPath(manifest, open);
  return { manifest, directory, segments, firstExit, decoders, policyFiles, ...(path && { path }) };
}

/**
 * Checks every file of a bundle against its manifest by what the file declares, and opens none.
 * @throws an error that names the file
 */
export async function checkModel({ directory, manifest }: Bundle): Promise<void> {
  const open: Open<undefined> = async (file, reads, writes) => {
    const path = join(directory, file);
    const bytes = await readFile(path);
    try {
      check(path, declaredPorts(bytes), reads, writes, mayFixBatch(manifest, file));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new Error(`${path} cannot be loaded: ${error.message}`, { cause: error });
    }
    return undefined;
  };
  await loadSegments(manifest, open);
  await loadExitFiles(manifest, manifest.decoders, manifest.outputs, open);
  await loadExitFiles(manifest, manifest.policy_files ?? [], [PI], open);
  await loadPath(manifest, open);
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

/** Loads a file of the bundle and checks its inputs and outputs; `resident` outputs stay on the device. */
type Open<S> = (
  file: string,
  reads: readonly Port[],
  writes: readonly Port[],
  resident?: readonly string[],
) => Promise<S>;

const PI: Port = { name: 'pi', dtype: 'float32', shape: ['N'] };

/** The ports of these inputs, states or outputs. */
function portsOf({ inputs, states, outputs }: Manifest, names: readonly string[]): Port[] {
  const ports = Object.fromEntries(
    [...inputs, ...states, ...outputs].map((port) => [port.name, port]),
  );
  return names.map((name) => entry(ports, name));
}

async function loadSegments<S>(
  manifest: Manifest,
  open: Open<S>,
): Promise<(Omit<LoadedSegment, 'session'> & { readonly session: S })[]> {
  const { outputs, policy_files: files = [], statistic, depth } = manifest;
  const onHost = new Set([...outputs.map(({ name }) => name), statistic]);
  const loaded: Awaited<ReturnType<typeof loadSegments<S>>> = [];
  for (const segment of manifest.segments) {
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

/** Frees the sessions of a model; it must not be run afterwards. */
export async function releaseModel(model: LoadedModel): Promise<void> {
  const { segments, decoders, policyFiles, path } = model;
  const all = [...segments, ...decoders.values(), ...policyFiles.values(), ...(path ? [path] : [])];
  for (const { session } of all) await session.release();
}

/** Whether a file only ever runs with one sample, so that its N may be the number 1. */
const mayFixBatch = (manifest: Manifest, file: string): boolean =>
  file === manifest.path || manifest.max_batch === 1 || !hasFixedInputs(manifest);

/** @throws an error that names the first input or output of `file` that does not match the manifest */
function check(
  file: string,
  { inputs, outputs }: Pick<Session, 'inputs' | 'outputs'>,
  reads: readonly Port[],
  writes: readonly Port[],
  mayFixBatch: boolean,
): void {
  const compare = (
    kind: string,
    actual: readonly { name: string; type: string; shape: readonly (number | string)[] }[],
    expected: readonly Port[],
  ): void => {
    for (const { name, shape } of expected) {
      const port = actual.find((candidate) => candidate.name === name);
      if (!port)
        throw new Error(
          `${file} has no ${kind} ${name}; it has ${actual.map((candidate) => candidate.name).join(', ')}.`,
        );
      if (port.type !== 'float32')
        throw new Error(`${file}: the ${kind} ${name} is ${port.type}, not float32.`);
      const [batch] = port.shape;
      if (shape[0] === 'N' && typeof batch === 'number' && !(mayFixBatch && batch === 1))
        throw new Error(
          `${file}: the ${kind} ${name} is [${port.shape.join(', ')}]: its batch is fixed. Export it with dynamic_axes={'${name}': {0: 'N'}}, or dynamic_shapes where dynamo=True.`,
        );
      const fits =
        port.shape.length === shape.length &&
        shape.every(
          (dim, i) =>
            typeof dim !== 'number' || typeof port.shape[i] !== 'number' || port.shape[i] === dim,
        );
      if (!fits)
        throw new Error(
          `${file}: the ${kind} ${name} is [${port.shape.join(', ')}], not [${shape.join(', ')}] as in the manifest.`,
        );
    }
  };
  compare('input', inputs, reads);
  compare('output', outputs, writes);
  const unknown = inputs.find(({ name }) => !reads.some((port) => port.name === name));
  if (unknown)
    throw new Error(`${file} has the input ${unknown.name}, which is not in the manifest.`);
}
