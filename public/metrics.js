/** The Prometheus text format, as far as this page needs it. */

/** Yields `{name, labels, value}` of each line. */
function* lines(text) {
  for (const line of text.split('\n')) {
    const [, name, list = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
    if (!name) continue;
    const labels = Object.fromEntries(
      [...list.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text]),
    );
    yield { name, labels, value: Number(value) };
  }
}

/**
 * Requests and depths of each model, in the order of the text:
 * `{model, answered, refused, run, skipped, depths: [[depth, count], …]}`, where depths begin and end with one that was seen.
 */
export function readMetrics(text) {
  const models = new Map();
  const of = (model) => {
    if (!models.has(model))
      models.set(model, { model, answered: 0, refused: 0, run: 0, skipped: 0, buckets: [] });
    return models.get(model);
  };
  for (const { name, labels, value } of lines(text)) {
    const { model, outcome, le } = labels;
    if (!model) continue;
    if (name === 'stopwise_requests_total')
      of(model)[outcome === 'ok' ? 'answered' : 'refused'] += value;
    if (name === 'stopwise_layers_run_total') of(model).run = value;
    if (name === 'stopwise_layers_skipped_total') of(model).skipped = value;
    if (name === 'stopwise_stop_depth_bucket' && le !== '+Inf')
      of(model).buckets.push([Number(le), value]);
  }
  return [...models.values()].map(({ buckets, ...rest }) => ({
    ...rest,
    depths: countsOf(buckets),
  }));
}

/** Counts of a cumulative histogram: `[depth, count]` of the depths that were seen. */
const countsOf = (buckets) =>
  buckets
    .map(([depth, value], i) => [depth, value - (buckets[i - 1]?.[1] ?? 0)])
    .filter(([, count]) => count > 0);
