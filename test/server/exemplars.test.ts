import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Metrics } from '../../src/server/metrics.ts';
import { startTracing } from '../../src/server/tracing.ts';
import { startSmallService, type SmallService } from './support.ts';

const ACCEPT = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5';
const SAMPLED = '0af7651916cd43dd8448eb211c80319c';
const UNSAMPLED = '1bf7651916cd43dd8448eb211c80319d';

interface Exemplar {
  readonly series: string;
  readonly trace: string;
  readonly value: number;
  readonly seconds: number;
}

/** The exemplars of an OpenMetrics text. @throws where a line is none of the format's */
function exemplarsIn(text: string): Exemplar[] {
  const lines = text.split('\n');
  expect(lines.splice(-2)).toEqual(['# EOF', '']);
  return lines.flatMap((line) => {
    if (/^# (TYPE|HELP|UNIT) \S+ /.test(line)) return [];
    const number = String.raw`[-+]?(?:\d[\d.]*(?:e[-+]?\d+)?|Inf)|NaN|Nan`;
    const parts = new RegExp(
      String.raw`^(\w+)(?:\{[^}]*\})? (?:${number})(?: # \{trace_id="(\w+)"\} (${number}) (\d+\.\d+))?$`,
      'i',
    ).exec(line);
    if (!parts) throw new Error(`not OpenMetrics: ${line}`);
    const [, series = '', trace, value, seconds] = parts;
    return trace === undefined
      ? []
      : [{ series, trace, value: Number(value), seconds: Number(seconds) }];
  });
}

async function recover({ app }: SmallService, traceparent?: string): Promise<void> {
  const { statusCode } = await app.inject({
    method: 'POST',
    url: '/v1/recover',
    headers: { ...(traceparent && { traceparent }) },
    payload: { measurements: Array.from({ length: 12 }, (_, i) => Math.sin(i)) },
  });
  expect(statusCode).toBe(200);
}

const metricsOf = async ({ app }: SmallService, accept: string): Promise<string> =>
  (await app.inject({ url: '/metrics', headers: { accept } })).body;

describe('exemplars', () => {
  let service: SmallService;
  beforeAll(async () => {
    // Nothing listens there: that spans are lost must not be seen in answers.
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = 'http://127.0.0.1:9';
    const tracing = await startTracing('test');
    service = await startSmallService({}, { tracing, metrics: new Metrics('test', true) });
  });
  afterAll(() => service.close());

  it('name the trace of a sampled request at its latency, in OpenMetrics alone', async () => {
    await recover(service, `00-${UNSAMPLED}-b7ad6b7169203331-00`);
    expect(exemplarsIn(await metricsOf(service, ACCEPT))).toEqual([]);
    await recover(service, `00-${SAMPLED}-b7ad6b7169203331-01`);
    const exemplars = exemplarsIn(await metricsOf(service, ACCEPT));
    expect(exemplars.map(({ series, trace }) => [series, trace]).sort()).toEqual([
      ['stopwise_queue_duration_seconds_bucket', SAMPLED],
      ['stopwise_request_duration_seconds_bucket', SAMPLED],
    ]);
    for (const { value, seconds } of exemplars) {
      expect(value).toBeGreaterThan(0);
      expect(value).toBeLessThan(10);
      expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(60);
    }
    const text = await metricsOf(service, 'text/plain');
    expect(text).not.toContain(SAMPLED);
    expect(text).toContain('stopwise_request_duration_seconds_count{model="small-recovery"} 2');
  });
});

it('without traces there are none', async () => {
  const service = await startSmallService();
  try {
    await recover(service, `00-${SAMPLED}-b7ad6b7169203331-01`);
    expect(exemplarsIn(await metricsOf(service, ACCEPT))).toEqual([]);
  } finally {
    await service.close();
  }
});
