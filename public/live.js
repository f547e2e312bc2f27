/** What the service does: requests and depths of each model, from its metrics. */
import { call } from './api.js';
import { histogram } from './charts.js';
import { element, percent } from './dom.js';
import { readMetrics } from './metrics.js';

const EVERY_MS = 4000;

/** Starts the strip. Where metrics cannot be read it says why and asks no more. */
export function startLive(section, manifests) {
  const said = section.querySelector('[data-said]');
  const cards = new Map();
  let timer;

  async function refresh() {
    clearTimeout(timer);
    if (!document.hidden) {
      try {
        show(readMetrics(await (await call('metrics')).text()));
      } catch (error) {
        said.textContent = reasonOf(error);
        return;
      }
    }
    timer = setTimeout(refresh, EVERY_MS);
  }

  function show(models) {
    const busy = models.filter(({ answered, refused }) => answered + refused > 0);
    const idle = models.length - busy.length;
    const total = busy.reduce((sum, { answered }) => sum + answered, 0);
    said.textContent =
      `${total} ${total === 1 ? 'request' : 'requests'} answered since the start, and how deep they went.` +
      (idle > 0 ? ` Without any: ${idle} of ${models.length} models.` : '');
    for (const model of busy) draw(model);
  }

  function draw({ model, answered, refused, run, skipped, depths }) {
    if (!cards.has(model)) {
      const card = { words: element('p'), chart: element('div') };
      cards.set(model, card);
      section
        .querySelector('[data-models]')
        .append(element('article', {}, element('h3', {}, model), card.words, card.chart));
    }
    const { words, chart } = cards.get(model);
    const layers =
      run + skipped > 0 ? `, ${percent(skipped / (run + skipped))} of the layers skipped` : '';
    words.textContent = `${answered} answered${refused > 0 ? `, ${refused} not` : ''}${layers}`;
    const { exits = depths.map(([depth]) => depth) } =
      manifests().find(({ name }) => name === model) ?? {};
    const counts = exits.map((exit) => [exit, depths.find(([depth]) => depth === exit)?.[1] ?? 0]);
    const list = depths.map(([depth, count]) => `${count} at depth ${depth}`).join(', ');
    histogram(chart, counts, `Samples by depth: ${list}.`);
  }

  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && timer !== undefined) void refresh();
  });
  void refresh();
  return refresh;
}

function reasonOf({ status, message }) {
  if (status === 404) {
    // They are served on the management port, and the documentation with them.
    for (const link of document.querySelectorAll('[data-management]')) link.hidden = true;
    return 'Metrics are served on another port (MANAGEMENT_PORT), so there is nothing to see here.';
  }
  if (status === 401) return 'Metrics need a token that may read them.';
  return `Metrics cannot be read: ${message}`;
}
