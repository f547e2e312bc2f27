import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { readManifest } from '../../src/bundle/read.ts';
import type { Manifest } from '../../src/bundle/manifest.ts';
import type { Summary } from '../../src/engine/transport/messages.ts';
import { Metrics } from '../../src/server/metrics.ts';

const manifests = new Map<string, Manifest>();
for (const name of readdirSync('models'))
  manifests.set(name, await readManifest(join('models', name)));

let metrics: Metrics;
beforeEach(() => {
  metrics = new Metrics('test');
  metrics.serve({
    manifests,
    provider: 'cpu',
    pending: 3,
    pendingSeconds: 0.5,
    workers: 2,
    refused: [{ name: 'broken', reason: 'a file is missing' }],
  });
});

const seriesIn = (text: string): string[] =>
  text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

const answered = (model: string, maxDepth: number): Summary => ({
  model,
  maxDepth,
  depths: [maxDepth, 1],
  reasons: ['max_depth', 'policy'],
  timing: { queueMs: 1, computeMs: 2, totalMs: 3 },
});

/** A value for every histogram of every model. */
function useAll(): void {
  for (const { name, depth, exits } of manifests.values()) {
    metrics.answered(answered(name, depth));
    for (const layer of exits) metrics.segment({ model: name, layer, batch: 2, seconds: 0.01 });
  }
}

describe('metrics', () => {
  it('have at most 400 series while the shipped bundles are idle', async () => {
    expect(manifests.size).toBeGreaterThanOrEqual(10);
    expect(seriesIn((await metrics.render()).text).length).toBeLessThanOrEqual(400);
  });

  it('start every counter of a model at 0', async () => {
    const { text } = await metrics.render();
    expect(text).toContain('stopwise_requests_total{model="denoise-gray",outcome="ok"} 0');
    expect(text).toContain('stopwise_samples_total{model="denoise-gray",reason="load"} 0');
    expect(text).toContain('stopwise_layers_skipped_total{model="denoise-gray"} 0');
    expect(text).toContain('stopwise_worker_restarts_total 0');
  });

  it('tell workers, pending samples and refused bundles', async () => {
    metrics.restarted();
    const { text } = await metrics.render();
    expect(text).toContain('stopwise_workers 2');
    expect(text).toContain('stopwise_pending_samples 3');
    expect(text).toContain('stopwise_pending_seconds 0.5');
    expect(text).toContain('stopwise_bundle_refused{model="broken"} 1');
    expect(text).toContain('stopwise_bundle_refused{model="denoise-gray"} 0');
    expect(text).toContain('stopwise_worker_restarts_total 1');
  });

  it('have a depth bucket for each exit, 0 included', async () => {
    metrics.answered(answered('denoise-gray', 15));
    const buckets = seriesIn((await metrics.render()).text).filter((line) =>
      line.startsWith('stopwise_stop_depth_bucket'),
    );
    const bounds = buckets.map((line) => Number(/le="([\d.]+)"/.exec(line)?.[1] ?? Infinity));
    const exits = [...manifests.values()].flatMap((manifest) => manifest.exits);
    expect(new Set(bounds)).toEqual(new Set([0, ...exits, Infinity]));
    // Of the depths 15 and 1, one is at most 4.
    expect(buckets.find((line) => line.includes('le="4"'))).toMatch(/ 1$/);
  });

  it('cost at most 5 ms of CPU to render when idle', async () => {
    for (let run = 0; run < 20; run++) await metrics.render();
    const before = process.cpuUsage();
    for (let run = 0; run < 50; run++) await metrics.render();
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000 / 50).toBeLessThan(5);
  });

  it('are OpenMetrics for a client that accepts it, and unchanged for the next that does not', async () => {
    useAll();
    const asPrometheus =
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
    const [open, plain] = await Promise.all([
      metrics.render(asPrometheus),
      metrics.render('text/plain'),
    ]);
    expect(open.type).toMatch(/^application\/openmetrics-text; version=1\.0\.0/);
    expect(open.text).toMatch(/# EOF\n$/);
    expect(open.text).toContain('# TYPE stopwise_requests counter');
    expect(plain.type).toMatch(/^text\/plain; version=0\.0\.4/);
    for (const { text } of [plain, await metrics.render()])
      expect(text).toContain('# TYPE stopwise_requests_total counter');
    const names = (text: string) => new Set(seriesIn(text).map((line) => line.split(/[ {]/)[0]));
    expect(names(open.text)).toEqual(names(plain.text));
    expect(names((await metrics.render(asPrometheus)).text)).toEqual(names(plain.text));
  });
});
