import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadBundle } from '../../../src/bundle/read.ts';
import { Random } from '../../../src/data/random.ts';
import { readOut, runSegment, runWhole } from '../../../src/engine/worker/executor.ts';
import { Job } from '../../../src/engine/worker/jobs.ts';
import { clock } from '../../../src/util/clock.ts';
import { loadModel, releaseModel, type LoadedModel } from '../../../src/engine/worker/models.ts';
import type { RunResult, Sample } from '../../../src/engine/types.ts';
import type { StoppingParameters } from '../../../src/stopping/parameters.ts';
import { expectClose } from '../../graph/check.ts';
import { smallModels, smallRecognize, startSmallEngine, writeModels } from '../../support/small.ts';

const random = new Random(21);
const draw = (length: number): Float32Array =>
  Float32Array.from({ length }, () => 0.5 + 0.3 * random.normal());
const sampleFor = (name: string): Sample => {
  if (name === 'small-recovery') return { measurements: { data: draw(12), dims: [12] } };
  if (name === 'small-recognize') return { image: { data: draw(192), dims: [3, 8, 8] } };
  const channels = name === 'small-gray' ? 1 : 3;
  return { image: { data: draw(channels * 80), dims: [channels, 8, 10] } };
};

describe.each(
  [...smallModels(), smallRecognize()].map(({ name, family }) => [name, family] as const),
)('%s: the path in one graph', (name, family) => {
  let model: LoadedModel;
  beforeAll(async () => {
    const folder = await writeModels([...smallModels(), smallRecognize()]);
    const { directory, manifest } = await loadBundle(join(folder, name));
    // The path of a network whose work is counted by the pixel would not be opened.
    const flops = { ...manifest.flops, per: 'sample' } as const;
    model = await loadModel({ directory, manifest: { ...manifest, flops } }, 'cpu', 1);
  });
  afterAll(() => releaseModel(model));

  async function bothWays(
    sample: Sample,
    stopping: StoppingParameters,
  ): Promise<[RunResult, RunResult]> {
    const job = () => new Job(0, model, [sample], stopping, clock());
    const stepwise = job();
    for (let ended = false; !ended;) {
      const { stopped } = await runSegment(model, stepwise.items, Number.POSITIVE_INFINITY);
      ended = stopped.length > 0;
      if (ended) await readOut(model, stopped);
    }
    const whole = job();
    await runWhole(model, model.path!, whole.items[0]!);
    return [await stepwise.result, await whole.result];
  }

  const rules: StoppingParameters[] = [
    ...family.exits.map((depth): StoppingParameters => ({ rule: 'fixed', depth })),
    ...[0, 0.3, 0.5, 0.7, 1].map((threshold): StoppingParameters => ({ threshold })),
    ...Array.from({ length: 8 }, (_, seed): StoppingParameters => ({ rule: 'sample', seed })),
    ...(family.policies
      ? [0, 0.3, 0.6, 1].map((threshold): StoppingParameters => ({ rule: 'confidence', threshold }))
      : []),
    { threshold: 0.01, minDepth: family.exits[1]! },
    { threshold: 1, maxDepth: family.exits[1]! },
  ];
  it.each(rules)(
    'stops where the segments stop, with the same answer and reason: %j',
    async (stopping) => {
      const [stepwise, whole] = await bothWays(sampleFor(name), stopping);
      const [a, b] = [stepwise.samples[0]!, whole.samples[0]!];
      expect({ depth: b.depth, reason: b.reason }).toEqual({ depth: a.depth, reason: a.reason });
      expectClose(b.pi, a.pi, 1e-5);
      const output = family.outputs[0]!;
      expect(b.outputs[output]!.dims).toEqual(a.outputs[output]!.dims);
      expectClose(b.outputs[output]!.data, a.outputs[output]!.data, 1e-5);
    },
  );
});

describe('the engine', () => {
  it('takes the path for a sample alone, and the segments for many or against a deadline', async () => {
    const layers = new Map<string, Set<number | string>>();
    let current = '';
    const segment = ({ layer }: { layer: number | 'path' }): void =>
      void layers.get(current)?.add(layer);
    const engine = await startSmallEngine({}, { segment });
    const run = async (
      what: string,
      count: number,
      stopping: StoppingParameters,
    ): Promise<void> => {
      current = what;
      layers.set(what, new Set());
      const samples = Array.from({ length: count }, () => sampleFor('small-recovery'));
      await engine.run('small-recovery', samples, { rule: 'fixed', depth: 5, ...stopping });
      await new Promise((resolve) => setTimeout(resolve, 150));
    };
    await run('alone', 1, {});
    await run('many', 8, {});
    await run('deadline', 1, { deadlineMs: 10_000 });
    await engine.close();
    expect([...layers.get('alone')!]).toEqual(['path']);
    expect(layers.get('many')).not.toContain('path');
    expect(layers.get('deadline')).not.toContain('path');
  });
});
