/** Requests at every exit in float and in a variant, segment by segment. */
import { join } from 'node:path';
import { outputName, segmentExits, type Manifest } from '../bundle/manifest.ts';
import type { Bundle } from '../bundle/read.ts';
import type { Metric } from '../evaluation/metrics.ts';
import type { TrafficRequest } from '../evaluation/traffic.ts';
import { floats, Session, tensor, type Tensors } from '../runtime/session.ts';
import { at, entry } from '../util/at.ts';
import type { VariantFiles } from './recipe.ts';

/** A request at every exit. */
export interface TracedExits {
  /** Quality as the metric has it of one request. */
  readonly quality: readonly number[];
  /** π at every exit but the last. */
  readonly pi: readonly number[];
}

/** A request in float and in a variant. */
export interface TracedPair {
  /** The input statistic, such as the noise level. */
  readonly statistic: number;
  readonly float: TracedExits;
  readonly variant: TracedExits;
}

/** Runs requests to full depth in float and in a variant. */
export class VariantTracer {
  private constructor(
    private readonly manifest: Manifest,
    private readonly metric: Metric,
    /** One for each segment. */
    private readonly float: readonly Session[],
    private readonly variant: readonly Session[],
    private readonly decoders: ReadonlyMap<number, Session>,
  ) {}

  static async load(
    { directory, manifest }: Bundle,
    { segments, contents }: VariantFiles,
    metric: Metric,
  ): Promise<VariantTracer> {
    const load = (file: string): Promise<Session> => Session.load(join(directory, file));
    const float = await Promise.all(manifest.segments.map(({ file }) => load(file)));
    const variant = await Promise.all(
      segments.map(async (file, i) => {
        const content = contents.get(file);
        return content ? await Session.load(content) : at(float, i);
      }),
    );
    const decoders = new Map<number, Session>();
    for (const { exit, file } of manifest.decoders) decoders.set(exit, await load(file));
    return new VariantTracer(manifest, metric, float, variant, decoders);
  }

  async trace(request: TrafficRequest): Promise<TracedPair> {
    const { statistic, ...float } = await this.run(request, this.float);
    const { quality, pi } = await this.run(request, this.variant);
    return { statistic, float, variant: { quality, pi } };
  }

  async release(): Promise<void> {
    const sessions = new Set([...this.float, ...this.variant, ...this.decoders.values()]);
    for (const session of sessions) await session.release();
  }

  private async run(
    { sample, truth }: TrafficRequest,
    path: readonly Session[],
  ): Promise<TracedExits & Pick<TracedPair, 'statistic'>> {
    const { manifest, metric } = this;
    const values: Tensors = Object.fromEntries(
      Object.entries(sample).map(([name, { data, dims }]) => [name, tensor(data, [1, ...dims])]),
    );
    const quality: number[] = [];
    const pi: number[] = [];
    for (const [i, exit] of segmentExits(manifest).entries()) {
      const session = at(path, i);
      const next = await session.run(session.pick(values));
      for (const state of at(manifest.segments, i).writes)
        values[state] = entry(next, outputName(state));
      if (next.pi) pi.push(floats(next.pi)[0]!);
      const decoder = this.decoders.get(exit);
      const answer = decoder ? await decoder.run(decoder.pick(values)) : values;
      quality.push(metric.request(floats(entry(answer, manifest.outputs[0]!.name)), truth));
    }
    const statistic = floats(entry(values, manifest.statistic!))[0]!;
    return { quality, pi, statistic };
  }
}
