/** π of each sample at the exits it reached, live from events or at once from an answer. */
import { clearChart, piChart, reached, showDepth } from './charts.js';

/**
 * Follows one request in the π chart and the row of layers of a panel.
 * @param threshold that the controls show; an event's own counts more
 */
export function follow(panel, { exits, depth: maxDepth }, threshold) {
  const samples = new Map();
  const draw = (traces, depths) => {
    piChart(panel.querySelector('[data-pi]'), { exits, maxDepth, traces, threshold });
    showDepth(panel.querySelector('[data-depth]'), { exits, maxDepth, depths });
  };
  return {
    onExit({ sample, depth, pi, threshold: used }) {
      if (typeof used === 'number' && used <= 1) threshold = used;
      const { points = [] } = samples.get(sample) ?? {};
      if (typeof pi === 'number') points.push([depth, pi]);
      samples.set(sample, { points, depth });
      const all = [...samples.values()];
      draw(
        all.map((one) => one.points),
        all.map((one) => one.depth),
      );
    },
    /** @param answered samples with `depth` and `pi` */
    finish(answered) {
      draw(
        answered.map(({ pi }) => reached(exits, pi)),
        answered.map((one) => one.depth),
      );
    },
  };
}

/** Empties the charts of a panel. */
export function clearTrace(panel) {
  clearChart(panel.querySelector('[data-pi]'));
  panel.querySelector('[data-depth]').replaceChildren();
}
