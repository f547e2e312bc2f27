/** Opens the files of a bundle, or only reads what they declare, and checks their inputs and outputs against the manifest. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasFixedInputs, type Manifest, type Port } from '../../bundle/manifest.ts';
import { declaredPorts } from '../../bundle/onnx-ports.ts';
import type { Bundle } from '../../bundle/read.ts';
import { Session, type Provider } from '../../runtime/session.ts';
import { messageOf } from '../../util/message-of.ts';

/** Loads a file of the bundle and checks its inputs and outputs; `resident` outputs stay on the device. */
export type Open<S> = (
  file: string,
  reads: readonly Port[],
  writes: readonly Port[],
  resident?: readonly string[],
) => Promise<S>;

/** How sessions are opened. */
interface Options {
  readonly provider: Provider;
  readonly threads: number;
  readonly keepMemory: boolean;
}

/** Opens a session and checks its inputs and outputs. */
export const openSession =
  ({ directory, manifest }: Bundle, options: Options): Open<Session> =>
  async (file, reads, writes, resident = []) => {
    const path = join(directory, file);
    const session = await Session.load(path, { ...options, resident }).catch((error: unknown) => {
      throw new Error(
        `${path} cannot be loaded by the ${options.provider} provider: ${messageOf(error)}`,
        { cause: error },
      );
    });
    check(path, session, reads, writes, mayFixBatch(manifest, file));
    return session;
  };

/** Checks a file by the inputs and outputs that it declares. */
export const openDeclared =
  ({ directory, manifest }: Bundle): Open<undefined> =>
  async (file, reads, writes) => {
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
