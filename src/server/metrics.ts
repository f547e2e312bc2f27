/** The Prometheus metrics. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { SegmentRun, Summary } from '../engine/transport/messages.ts';
import type { Engine } from '../engine/engine.ts';
import { reasonNames } from '../stopping/reasons.ts';
import { Statistics } from './v2/statistics.ts';

const outcomes = ['ok', 'rejected', 'overloaded', 'cancelled', 'failed'] as const;
/** How a request ended: `rejected` is 4xx, `failed` 5xx, and `overloaded` includes draining. */
export type Outcome = (typeof outcomes)[number];
const seconds = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** Metrics of requests, samples and segment runs, in a registry of their own; times in s. */
export class Metrics {
  readonly registry = new Registry();
  /** The same events as the Open Inference Protocol counts them. */
  readonly statistics = new Statistics();
  private readonly requests;
  private readonly samples;
  private readonly depth;
  private readonly duration;
  private readonly queue;
  private readonly layer;
  private readonly batch;
  private readonly run;
  private readonly skipped;
  private readonly provider;

  constructor(version: string) {
    const registers = [this.registry];
    const histogram = (name: string, help: string, labelNames: string[], buckets: number[]) =>
      new Histogram({ name, help, labelNames, buckets, registers });
    const counter = (name: string, help: string, labelNames: string[]) =>
      new Counter({ name, help, labelNames, registers });
    const depths = Array.from({ length: 33 }, (_, i) => i);
    this.requests = counter('stopwise_requests_total', 'Requests to models, by how they ended.', [
      'model',
      'outcome',
    ]);
    this.samples = counter('stopwise_samples_total', 'Samples answered, by why they stopped.', [
      'model',
      'reason',
    ]);
    this.depth = histogram(
      'stopwise_stop_depth',
      'Depth at which samples stopped, in layers.',
      ['model'],
      depths,
    );
    this.duration = histogram(
      'stopwise_request_duration_seconds',
      'From arrival to the end of compute.',
      ['model'],
      seconds,
    );
    this.queue = histogram(
      'stopwise_queue_duration_seconds',
      'From arrival until the first segment ran.',
      ['model'],
      seconds,
    );
    const short = [0.00005, 0.0001, 0.00025, ...seconds];
    this.layer = histogram(
      'stopwise_layer_duration_seconds',
      'One run of a segment, named by its last layer, or of the whole path.',
      ['model', 'layer'],
      short,
    );
    this.batch = histogram(
      'stopwise_batch_size',
      'Samples in one run of a segment or of the path.',
      ['model', 'layer'],
      [1, 2, 4, 8, 16, 32, 64, 128],
    );
    this.run = counter('stopwise_layers_run_total', 'Layers run, summed over samples.', ['model']);
    this.skipped = counter('stopwise_layers_skipped_total', 'Layers that samples did not need.', [
      'model',
    ]);
    this.provider = new Gauge({
      name: 'stopwise_execution_provider_info',
      help: 'The execution provider in use.',
      labelNames: ['provider'],
      registers,
    });
    const build = new Gauge({
      name: 'stopwise_build_info',
      help: 'The version that runs.',
      labelNames: ['version', 'node'],
      registers,
    });
    build.set({ version, node: process.version }, 1);
    collectDefaultMetrics({ register: this.registry });
  }

  /** Attaches to an engine and creates all usual series, so that `rate()` is right from the first request on. */
  serve(engine: Pick<Engine, 'manifests' | 'provider' | 'pending'>): void {
    this.provider.set({ provider: engine.provider }, 1);
    new Gauge({
      name: 'stopwise_pending_samples',
      help: 'Samples taken and not yet answered.',
      registers: [this.registry],
      collect() {
        this.set(engine.pending);
      },
    });
    for (const { name: model, exits, path } of engine.manifests.values()) {
      for (const outcome of outcomes) this.requests.inc({ model, outcome }, 0);
      for (const reason of reasonNames) this.samples.inc({ model, reason }, 0);
      for (const histogram of [this.depth, this.duration, this.queue]) histogram.zero({ model });
      for (const layer of [...exits, ...(path ? ['path'] : [])])
        for (const histogram of [this.layer, this.batch])
          histogram.zero({ model, layer: String(layer) });
      for (const counter of [this.run, this.skipped]) counter.inc({ model }, 0);
    }
  }

  readonly segment = (run: SegmentRun): void => {
    const { model, layer, batch, seconds: duration } = run;
    this.statistics.segment(run);
    this.layer.observe({ model, layer: String(layer) }, duration);
    this.batch.observe({ model, layer: String(layer) }, batch);
  };

  answered(summary: Summary): void {
    const { model, maxDepth, depths, reasons: why, timing } = summary;
    this.statistics.answered(summary);
    this.requests.inc({ model, outcome: 'ok' });
    why.forEach((reason) => this.samples.inc({ model, reason }));
    let layers = 0;
    for (const depth of depths) {
      this.depth.observe({ model }, depth);
      layers += depth;
    }
    this.run.inc({ model }, layers);
    this.skipped.inc({ model }, depths.length * maxDepth - layers);
    this.duration.observe({ model }, timing.totalMs / 1000);
    this.queue.observe({ model }, timing.queueMs / 1000);
  }

  /** Counts a request that got no answer after `ms`; `model` is empty where none was named. */
  unanswered(model: string, outcome: Exclude<Outcome, 'ok'>, ms: number): void {
    this.statistics.unanswered(model, ms);
    this.requests.inc({ model, outcome });
  }
}
