/** A bundle made ready to run: its sessions, checked against its manifest, and what is known of its speed. */
import { join } from 'node:path';
import type { Bundle } from '../bundle/read.ts';
import {
  outputName,
  policiesOf,
  type Manifest,
  type Port,
  type Segment,
} from '../bundle/manifest.ts';
import { Session, type Provider, type SessionOptions } from '../runtime/session.ts';

export interface LoadedSegment extends Segment {
  readonly session: Session;
  /** The largest batch that pays; 1 where batching does not. */
  limit: number;
  /** Measured ms per element of the inputs, a running mean; 0 while unknown. */
  pace: number;
}

export interface LoadedDecoder {
  readonly reads: readonly string[];
  readonly session: Session;
}

/** All layers in one graph, for one sample. */
export interface LoadedPath {
  readonly session: Session;
  /** Whether the warm-up found it faster than the segments one by one. */
  pays: boolean;
  /** Measured ms per element of the inputs, a running mean. */
  pace: number;
}

export interface LoadedModel {
  readonly manifest: Manifest;
  /** The bundle's folder. */
  readonly directory: string;
  readonly segments: readonly LoadedSegment[];
  /** By exit. */
  readonly decoders: ReadonlyMap<number, LoadedDecoder>;
  readonly path?: LoadedPath;
}

/** @throws a sentence that names the file where a session cannot be made or does not fit the manifest */
export async function loadModel(
  { directory, manifest }: Bundle,
  provider: Provider,
  threads: number,
): Promise<LoadedModel> {
  const ports = new Map(
    [...manifest.inputs, ...manifest.states, ...manifest.outputs].map((port) => [port.name, port]),
  );
  const onHost = new Set(manifest.outputs.map(({ name }) => name));
  const open = async (file: string, options: SessionOptions): Promise<Session> => {
    const path = join(directory, file);
    return Session.load(path, options).catch((error: unknown) => {
      throw new Error(
        `${path} cannot be loaded by the ${provider} provider: ${error instanceof Error ? error.message : String(error)}`,
      );
    });
  };
  const segments: LoadedSegment[] = [];
  for (const segment of manifest.segments) {
    const resident = segment.writes.filter((name) => !onHost.has(name)).map(outputName);
    const session = await open(segment.file, { provider, threads, resident });
    const outputs = segment.writes.map((name) => ({ ...ports.get(name)!, name: outputName(name) }));
    const policies: Port[] = policiesOf(manifest).map((name) => ({
      name,
      dtype: 'float32',
      shape: ['N'],
    }));
    if (segment.last < manifest.depth) outputs.push(...policies);
    check(
      join(directory, segment.file),
      session,
      segment.reads.map((name) => ports.get(name)!),
      outputs,
    );
    segments.push({ ...segment, session, limit: 1, pace: 0 });
  }
  const decoders = new Map<number, LoadedDecoder>();
  for (const { file, exit, reads } of manifest.decoders) {
    const session = await open(file, { provider, threads });
    check(
      join(directory, file),
      session,
      reads.map((name) => ports.get(name)!),
      manifest.outputs,
    );
    decoders.set(exit, { reads, session });
  }
  // On WebGPU every condition would have to come back to the host, which the segments do as well.
  if (manifest.path === undefined || manifest.depth === manifest.exits[0] || provider === 'webgpu')
    return { manifest, directory, segments, decoders };
  const session = await open(manifest.path, { provider, threads });
  const thresholds: Port = {
    name: 'thresholds',
    dtype: 'float32',
    shape: [manifest.exits.length - 1],
  };
  const said: Port[] = [
    { name: 'pi', dtype: 'float32', shape: thresholds.shape },
    { name: 'step', dtype: 'float32', shape: [] },
  ];
  const { length } = policiesOf(manifest);
  const policy: Port[] = length > 1 ? [{ name: 'policy', dtype: 'float32', shape: [length] }] : [];
  check(
    join(directory, manifest.path),
    session,
    [...manifest.inputs, thresholds, ...policy],
    [...manifest.outputs, ...said],
  );
  return { manifest, directory, segments, decoders, path: { session, pays: false, pace: 0 } };
}

export async function releaseModel({ segments, decoders, path }: LoadedModel): Promise<void> {
  for (const { session } of [...segments, ...decoders.values(), ...(path ? [path] : [])])
    await session.release();
}

function check(
  file: string,
  { inputs, outputs }: Session,
  reads: readonly Port[],
  writes: readonly Port[],
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
      const fits =
        port.shape.length === shape.length &&
        shape.every(
          (dim, i) =>
            typeof dim !== 'number' || typeof port.shape[i] !== 'number' || port.shape[i] === dim,
        );
      if (!fits)
        throw new Error(
          `${file}: the ${kind} ${name} is [${port.shape.join(', ')}], not [${shape.join(', ')}] as its manifest says.`,
        );
    }
  };
  compare('input', inputs, reads);
  compare('output', outputs, writes);
  const unknown = inputs.find(({ name }) => !reads.some((port) => port.name === name));
  if (unknown)
    throw new Error(`${file} needs an input ${unknown.name} that its manifest does not name.`);
}
