/** The Prometheus metrics. */
import {
  collectDefaultMetrics,
  Counter,
  Gauge,
  Histogram,
  Registry,
  type OpenMetricsContentType,
} from 'prom-client';
import { FLOAT, type Manifest } from '../bundle/manifest.ts';
import type { SegmentRun, ShadowReport, Summary } from '../engine/transport/messages.ts';
import type { Engine } from '../engine/engine.ts';
import { reasonNames } from '../stopping/reasons.ts';
import { Drift } from './drift.ts';
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
  private depth: Histogram | undefined;
  private depths: readonly number[] = [];
  private readonly duration;
  private readonly queue;
  private readonly layer;
  private readonly batch;
  private readonly run;
  private readonly skipped;
  private readonly provider;
  private readonly variants;
  private readonly restarts;
  private readonly shadowDistance;
  private readonly shadowsDropped;
  private readonly drifts = new Map<string, Drift>();
  private readonly open = new Registry<OpenMetricsContentType>();

  /** @param exemplars whether latencies name a trace, in OpenMetrics */
  constructor(
    version: string,
    private readonly exemplars = false,
  ) {
    this.open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    const registers = [this.registry];
    const histogram = (name: string, help: string, labelNames: string[], buckets: number[]) =>
      new Histogram({ name, help, labelNames, buckets, registers });
    const latency = (name: string, help: string): Histogram => {
      const config = { name, help, labelNames: ['model'], buckets: seconds };
      if (!exemplars) return new Histogram({ ...config, registers });
      // prom-client takes exemplars in an OpenMetrics registry alone.
      const made = new Histogram({ ...config, registers: [this.open], enableExemplars: true });
      this.registry.registerMetric(made);
      return made;
    };
    const counter = (name: string, help: string, labelNames: string[]) =>
      new Counter({ name, help, labelNames, registers });
    this.requests = counter('stopwise_requests_total', 'Requests to models, by how they ended.', [
      'model',
      'outcome',
    ]);
    this.samples = counter('stopwise_samples_total', 'Samples answered, by why they stopped.', [
      'model',
      'reason',
    ]);
    this.duration = latency(
      'stopwise_request_duration_seconds',
      'From arrival to the end of compute.',
    );
    this.queue = latency(
      'stopwise_queue_duration_seconds',
      'From arrival until the first segment ran.',
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
    this.variants = counter('stopwise_variant_samples_total', 'Samples answered, by variant.', [
      'model',
      'variant',
    ]);
    this.restarts = counter(
      'stopwise_worker_restarts_total',
      'Workers that ended unasked and were replaced.',
      [],
    );
    this.shadowDistance = histogram(
      'stopwise_shadow_distance',
      'Distance of early answers to full depth, over what 5 % exceeded at calibration.',
      ['model'],
      [0.25, 0.5, 1, 2, 4],
    );
    this.shadowsDropped = counter(
      'stopwise_shadow_dropped_total',
      'Shadow runs that were dropped for want of memory.',
      ['model'],
    );
    this.showDrift();
    this.provider = new Gauge({
      name: 'stopwise_execution_provider_info',
      help: 'The execution provider in use.',
      labelNames: ['provider'],
      registers,
    });
    this.showBuild(version);
    collectDefaultMetrics({ register: this.registry });
  }

  /**
   * Attaches to an engine. Counters of its models start at 0, so that `rate()` is right from the first request on; histograms,
   * which have a series for each bucket, appear with their first value.
   */
  serve(
    engine: Pick<
      Engine,
      'manifests' | 'provider' | 'pending' | 'pendingSeconds' | 'workers' | 'refused'
    > & { readonly repository?: Pick<Engine['repository'], 'onChange'> },
  ): void {
    const registers = [this.registry];
    this.provider.set({ provider: engine.provider }, 1);
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    gauge('stopwise_pending_samples', 'Samples taken and not yet answered.', () => engine.pending);
    gauge('stopwise_workers', 'Workers that run.', () => engine.workers);
    new Gauge({
      name: 'stopwise_bundle_refused',
      help: '1 for a bundle that failed its checks and is not served, 0 for a model that is.',
      labelNames: ['model'],
      registers,
      collect() {
        this.reset();
        for (const model of engine.manifests.keys()) this.set({ model }, 0);
        for (const { name } of engine.refused) this.set({ model: name }, 1);
      },
    });
    gauge(
      'stopwise_pending_seconds',
      'Compute of the requests in flight, in seconds of a worker at the depths now being taken.',
      () => engine.pendingSeconds,
    );
    this.addModels(engine.manifests);
    engine.repository?.onChange((name) => {
      this.statistics.forget(name);
      this.addModels(engine.manifests);
    });
  }

  /**
   * Counters of new models start at 0. The depth histogram gets their exits as buckets, for which it has to begin anew
   * where it lacks some: Prometheus takes that for a restart.
   */
  private addModels(manifests: ReadonlyMap<string, Manifest>): void {
    const exits = [...manifests.values()].flatMap((manifest) => manifest.exits);
    if (exits.some((exit) => !this.depths.includes(exit)) || !this.depth) {
      this.depths = [...new Set([0, ...this.depths, ...exits])].sort((a, b) => a - b);
      const name = 'stopwise_stop_depth';
      this.registry.removeSingleMetric(name);
      this.open.removeSingleMetric(name);
      this.depth = new Histogram({
        name,
        help: 'Depth at which samples stopped, in layers. The buckets are the exits of all models.',
        labelNames: ['model'],
        buckets: [...this.depths],
        registers: [this.registry],
      });
    }
    for (const [model, { variants }] of manifests) {
      if (variants)
        for (const variant of [FLOAT, ...variants.map(({ name }) => name)])
          this.variants.inc({ model, variant }, 0);
      for (const outcome of outcomes) this.requests.inc({ model, outcome }, 0);
      for (const reason of reasonNames) this.samples.inc({ model, reason }, 0);
      for (const counter of [this.run, this.skipped]) counter.inc({ model }, 0);
    }
  }

  /**
   * The metrics as text: OpenMetrics where `accept` names it, as Prometheus does, else Prometheus' text format.
   * @param accept the Accept header of the request
   */
  async render(accept = ''): Promise<{ readonly type: string; readonly text: string }> {
    if (!accept.includes('application/openmetrics-text'))
      return { type: this.registry.contentType, text: await this.registry.metrics() };
    const metrics = this.registry.getMetricsAsArray().map(({ name }) => ({
      name,
      metric: this.registry.getSingleMetric(name),
    }));
    for (const { metric } of metrics) if (metric) this.open.registerMetric(metric);
    const text = this.open.metrics();
    // prom-client drops `_total` from the names of counters for good, which the other format needs.
    for (const { name, metric } of metrics) if (metric) Object.assign(metric, { name });
    return { type: this.open.contentType, text: await text };
  }

  /** Counts a worker that ended unasked and was replaced. */
  restarted(): void {
    this.restarts.inc();
  }

  private showBuild(version: string): void {
    const build = new Gauge({
      name: 'stopwise_build_info',
      help: 'The version that runs.',
      labelNames: ['version', 'node'],
      registers: [this.registry],
    });
    build.set({ version, node: process.version }, 1);
  }

  private showDrift(): void {
    const { drifts } = this;
    new Gauge({
      name: 'stopwise_shadow_p_value',
      help: 'Chance of so many distant early answers if the traffic is as at calibration; small: it has changed.',
      labelNames: ['model'],
      registers: [this.registry],
      collect() {
        for (const [model, { pValue }] of drifts) this.set({ model }, pValue);
      },
    });
  }

  readonly shadow = ({ model, distance }: ShadowReport): void => {
    if (distance === undefined) {
      this.shadowsDropped.inc({ model });
      return;
    }
    this.shadowDistance.observe({ model }, distance);
    const drift = this.drifts.get(model) ?? new Drift();
    this.drifts.set(model, drift);
    drift.add(distance);
  };

  readonly segment = (run: SegmentRun): void => {
    const { model, layer, batch, seconds: duration } = run;
    this.statistics.segment(run);
    this.layer.observe({ model, layer: String(layer) }, duration);
    this.batch.observe({ model, layer: String(layer) }, batch);
  };

  /** @param traceId names the trace of the request, where it is sampled */
  answered(summary: Summary, traceId?: string): void {
    const { model, maxDepth, depths, reasons: why, variants = [], timing } = summary;
    this.statistics.answered(summary);
    this.requests.inc({ model, outcome: 'ok' });
    why.forEach((reason) => this.samples.inc({ model, reason }));
    variants.forEach((variant) => this.variants.inc({ model, variant }));
    let layers = 0;
    for (const depth of depths) {
      this.depth?.observe({ model }, depth);
      layers += depth;
    }
    this.run.inc({ model }, layers);
    this.skipped.inc({ model }, depths.length * maxDepth - layers);
    this.observe(this.duration, model, timing.totalMs / 1000, traceId);
    this.observe(this.queue, model, timing.queueMs / 1000, traceId);
  }

  private observe(histogram: Histogram, model: string, value: number, traceId?: string): void {
    if (!this.exemplars) return histogram.observe({ model }, value);
    const exemplarLabels: { trace_id?: string } =
      traceId === undefined ? {} : { trace_id: traceId };
    histogram.observe({ labels: { model }, value, exemplarLabels });
  }

  /** Counts a request that got no answer after `ms`; `model` is empty where none was named. */
  unanswered(model: string, outcome: Exclude<Outcome, 'ok'>, ms: number): void {
    this.statistics.unanswered(model, ms);
    this.requests.inc({ model, outcome });
  }
}
