/** A model whose segments copy their input, for tests of what a worker runs when. */
import type { Manifest } from '../../src/bundle/manifest.ts';
import type { LoadedModel } from '../../src/engine/worker/models.ts';
import type { Sample } from '../../src/engine/types.ts';
import { tensor, type Tensors } from '../../src/runtime/session.ts';

/** Numbers of a sample. */
export const ELEMENTS = 4;

export const fakeSamples = (count: number, value = 0): Sample[] =>
  Array.from({ length: count }, () => ({
    x: { data: new Float32Array(ELEMENTS).fill(value), dims: [ELEMENTS] },
  }));

/**
 * A segment, of one sample a batch and predicted to take 10 ms, for each exit but 0; π is 0 everywhere. With exit 0 the input is
 * an answer that needs no run.
 * @param onRun is given the values of each run
 */
export function fakeModel(
  exits: readonly number[],
  onRun: (values: Float32Array) => void,
  change: Partial<Manifest> = {},
): LoadedModel {
  const run = ({ x }: Tensors): Promise<Tensors> => {
    const values = x!.data as Float32Array;
    const count = values.length / ELEMENTS;
    onRun(values);
    return Promise.resolve({ next_x: x!, pi: tensor(new Float32Array(count), [count]) });
  };
  const computing = exits.filter((exit) => exit > 0);
  const segment = { reads: ['x'], writes: ['x'], session: { run }, limit: 1 };
  return {
    manifest: {
      name: 'fake',
      depth: exits.at(-1),
      exits,
      inputs: [{ name: 'x', shape: ['N', ELEMENTS] }],
      outputs: [{ name: 'x' }],
      ...change,
    },
    firstExit: exits.length - computing.length,
    decoders: new Map(),
    policyFiles: new Map(),
    variants: [],
    segments: computing.map((last) => ({ ...segment, last, msPerElement: 10 / ELEMENTS })),
  } as unknown as LoadedModel;
}
