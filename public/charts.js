/** Charts as SVG, drawn again when their width changes; colours come from the style sheet. */
import { element, svg } from './dom.js';

const drawn = new WeakMap();
const observer = new ResizeObserver((entries) => {
  for (const { target } of entries) drawn.get(target)?.();
});

/** Draws into `target` now and at every change of its width; `draw` takes the width in pixels. */
function plot(target, label, height, draw) {
  const redraw = () => {
    const width = Math.max(target.clientWidth, 200);
    const picture = svg('svg', {
      class: 'plot',
      viewBox: `0 0 ${width} ${height}`,
      height,
      role: 'img',
      'aria-label': label,
    });
    picture.append(...draw(width));
    target.replaceChildren(picture);
  };
  if (!drawn.has(target)) observer.observe(target);
  drawn.set(target, redraw);
  redraw();
}

/** Removes a chart. */
export function clearChart(target) {
  drawn.delete(target);
  observer.unobserve(target);
  target.replaceChildren();
}

const line = (x1, y1, x2, y2, name) => svg('line', { x1, y1, x2, y2, class: name });
const text = (x, y, anchor, words, name = '') =>
  svg('text', { x, y, 'text-anchor': anchor, class: name }, words);

/** Width of the threshold's label, pixels. */
const LABEL = 92;

/** The points `[depth, value]` that a sample has reached. */
export const reached = (exits, values) =>
  values.flatMap((value, i) => (value === null ? [] : [[exits[i], value]]));

/**
 * Lines over depth.
 * @param traces lists of [depth, value]
 * @param stop the depth whose point is marked; the last of each trace where absent
 * @param range of the values: [bottom, top]
 */
export function depthChart(
  target,
  { exits, maxDepth, traces, range, threshold, stop, label, digits = 1 },
) {
  const [left, right, top, height, base] = [34, 10, 10, 170, 145];
  plot(target, label, height, (width) => {
    const [low, high] = range;
    const x = (depth) => left + (depth / maxDepth) * (width - left - right);
    const y = (value) => base - ((value - low) / (high - low || 1)) * (base - top);
    const parts = [low, (low + high) / 2, high].flatMap((value) => [
      line(left, y(value), width - right, y(value), 'axis'),
      text(left - 6, y(value) + 4, 'end', value.toFixed(digits).replace('-', '−')),
    ]);
    for (const exit of spaced(exits, (exit) => x(exit), 18))
      parts.push(text(x(exit), base + 17, 'middle', exit));
    for (const exit of exits) parts.push(line(x(exit), base, x(exit), base + 4, 'axis'));
    if (threshold !== undefined && threshold >= low && threshold <= high) {
      parts.push(line(left, y(threshold), width - right, y(threshold), 'threshold'));
      const above = y(threshold) > top + 14;
      const words = `threshold ${threshold.toFixed(3)}`;
      const baseline = y(threshold) + (above ? -5 : 13);
      // At the right, unless a curve passes there and not at the left.
      const covered = (from) =>
        traces
          .flat()
          .some(
            ([depth, value]) =>
              Math.abs(x(depth) - from - LABEL / 2) < LABEL / 2 + 8 &&
              Math.abs(y(value) - baseline + 4) < 14,
          );
      const atLeft = covered(width - right - LABEL) && !covered(left);
      const [at, anchor] = atLeft ? [left + 4, 'start'] : [width - right, 'end'];
      parts.push(text(at, baseline, anchor, words, 'threshold'));
    }
    for (const points of traces) {
      if (points.length === 0) continue;
      const d = points.map(([depth, value]) => `${x(depth).toFixed(1)},${y(value).toFixed(1)}`);
      parts.push(svg('path', { d: `M${d.join('L')}`, class: 'series' }));
      points.forEach(([depth, value], i) => {
        const last = stop === undefined ? i === points.length - 1 : depth === stop;
        const place = { cx: x(depth), cy: y(value), r: last ? 5 : 3 };
        parts.push(svg('circle', { ...place, class: last ? 'stop' : 'point' }));
      });
    }
    return parts;
  });
}

/** The members whose places are at least `distance` apart, the last one among them. */
function spaced(list, place, distance) {
  const kept = [];
  for (const entry of [...list].reverse())
    if (kept.length === 0 || place(kept.at(-1)) - place(entry) >= distance) kept.push(entry);
  return kept;
}

/** π after each exit. */
export function piChart(target, { exits, maxDepth, traces, threshold }) {
  const [first = []] = traces;
  const values = first.map(([depth, pi]) => `${pi} at depth ${depth}`).join(', ');
  const label =
    `π after each exit: ${values || 'none yet'}` +
    (threshold === undefined ? '.' : `; the threshold is ${threshold.toFixed(3)}.`);
  depthChart(target, { exits, maxDepth, traces, threshold, range: [0, 1], label });
}

/**
 * Numbers as spikes from a middle line.
 * @param series `[class, values]`, drawn in this order
 * @param cursor index that is marked
 */
export function spikeChart(target, { series, label, height = 150, cursor }) {
  const most = Math.max(...series.flatMap(([, values]) => Array.from(values, Math.abs)), 1e-30);
  plot(target, label, height, (width) => {
    const middle = height / 2;
    const parts = [line(0, middle, width, middle, 'axis')];
    for (const [name, values] of series) {
      let d = '';
      values.forEach((value, i) => {
        if (Math.abs(value) < most / 1000) return;
        const x = (((i + 0.5) * width) / values.length).toFixed(1);
        d += `M${x},${middle}V${(middle - (value / most) * (middle - 4)).toFixed(1)}`;
      });
      parts.push(svg('path', { d, class: name }));
    }
    if (cursor !== undefined) {
      const x = ((cursor + 0.5) * width) / series[0][1].length;
      parts.push(line(x, 0, x, height, 'cursor'));
    }
    return parts;
  });
}

/** Counts over depth as small bars. */
export function histogram(target, counts, label) {
  const most = Math.max(...counts.map(([, count]) => count), 1);
  const step = Math.ceil(counts.length / 8);
  plot(target, label, 74, (width) =>
    counts.flatMap(([depth, count], i) => {
      const [x, w] = [(i * width) / counts.length, width / counts.length];
      const h = (count / most) * 52;
      const bar = { x: x + 1, y: 56 - h, width: Math.max(w - 2, 1), height: h, class: 'bar' };
      const marked = (counts.length - 1 - i) % step === 0;
      return [
        svg('rect', bar),
        line(x + 1, 56.5, x + w - 1, 56.5, 'axis'),
        ...(marked ? [text(x + w / 2, 70, 'middle', depth)] : []),
      ];
    }),
  );
}

/**
 * The network as a row of layers: filled as deep as the samples went, lighter where only some did, with its exits below.
 * @param depths of the samples so far
 */
export function showDepth(target, { exits, maxDepth, depths }) {
  const least = Math.min(...depths);
  const most = Math.max(...depths);
  const layers = Array.from({ length: maxDepth }, (_, i) =>
    element('i', { className: i < least ? 'run' : i < most ? 'some' : '' }),
  );
  const row = element('div', { className: 'layers' }, ...layers);
  row.setAttribute('role', 'img');
  const range = least === most ? `${most}` : `${least} to ${most}`;
  row.setAttribute(
    'aria-label',
    `Depth ${range} of ${maxDepth} layers; exits ${exits.join(', ')}.`,
  );
  const marks = element('div', { className: 'exit-marks' });
  marks.setAttribute('aria-hidden', 'true');
  const place = (exit) => (100 * exit) / maxDepth;
  for (const exit of spaced(exits, place, 7)) {
    const stopped = depths.includes(exit);
    const mark = element(
      'span',
      { className: stopped ? 'stop' : '' },
      stopped ? `▲${exit}` : `${exit}`,
    );
    mark.style.left = `${Math.min(98, Math.max(1.5, place(exit)))}%`;
    marks.append(mark);
  }
  target.replaceChildren(row, marks);
}
