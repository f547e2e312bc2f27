/** Sparse recovery: a signal, its measurements, and what comes back. */
import { ask, call } from './api.js';
import { clearChart, depthChart, spikeChart } from './charts.js';
import { fillModels, say, showFacts } from './dom.js';
import { latest } from './latest.js';
import { measure, nmse, randomSignal, readNpy } from './signals.js';
import { inWords, promiseOf, stoppingControls } from './stopping.js';
import { clearTrace, follow } from './trace.js';

/** Drawing sets every fifth number: neighbours would not be sparse. */
const GRID = 5;
const decibels = (value) => `${value.toFixed(1).replace('-', '−')} dB`;
const superscript = (value) =>
  value.replace('-', '⁻').replace(/\d/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]);

/** Starts the panel; gives the function that sends the first signal. */
export function startRecover(panel, models) {
  const $ = (selector) => panel.querySelector(selector);
  const chart = $('[data-signal]');
  const stopping = stoppingControls($('[data-stopping]'), 'recover', () => sending.soon());
  const matrices = new Map();
  let seed = 1;
  let signal;
  let found;
  /** Index that the keyboard's pen is at; undefined while the chart has no focus. */
  let cursor;

  const number = (name) => Number($(`[data-${name}]`).value);
  const model = () => models.find(({ name }) => name === $('[data-model]').value);
  const length = () => model().outputs[0].shape[1];

  async function matrixOf({ name }, abort) {
    if (!matrices.has(name)) {
      const file = await call(`v1/models/${name}/files/matrix.npy`, { signal: abort });
      matrices.set(name, readNpy(await file.arrayBuffer()));
    }
    return matrices.get(name);
  }

  const fail = (error) => {
    found = undefined;
    clearTrace(panel);
    clearChart($('[data-errors]'));
    showFacts(panel, []);
    draw();
    say(panel, error.message, true);
  };

  function draw() {
    const nonzero = signal.filter((value) => value !== 0).length;
    const label = `${found ? 'True and recovered' : 'True'} signal of ${signal.length} numbers, ${nonzero} of them not zero.`;
    const series = [['true', signal], ...(found ? [['found', found]] : [])];
    spikeChart(chart, { series, label, height: 190, cursor });
  }

  const sending = latest(async (abort) => {
    const manifest = model();
    draw();
    if (signal.every((value) => value === 0)) {
      found = undefined;
      draw();
      say(panel, 'Drag on the signal to draw some spikes.');
      return;
    }
    say(panel, 'Working …');
    const matrix = await matrixOf(manifest, abort);
    const scale = 10 ** number('scale');
    const measured = measure(matrix, signal, { snr: number('snr'), scale, seed });
    const [m, n] = matrix.shape;
    const caption = `${m} measurements of ${n} numbers, with noise at ${number('snr')} dB`;
    $('[data-measured-said]').textContent = caption;
    spikeChart($('[data-measured]'), { series: [['thin', measured]], label: caption, height: 110 });
    const body = JSON.stringify({ measurements: Array.from(measured) });
    const request = { body, type: 'application/json', signal: abort };
    const trace = follow(panel, manifest, stopping.threshold());
    const query = { model: manifest.name, ...stopping.query() };
    const answer = await ask('recover', { ...request, query, onExit: trace.onExit });
    abort.throwIfAborted();
    found = answer.signals[0].map((value) => value / scale);
    draw();
    trace.finish(answer.samples);
    report(answer, manifest);
    await showErrors(manifest, request, answer.samples[0].depth);
  }, fail);

  function report(answer, manifest) {
    const [{ depth, reason }] = answer.samples;
    say(
      panel,
      `Recovered to ${decibels(nmse(found, signal))} after ${depth} of ${answer.max_depth} layers (${inWords(reason)}).`,
    );
    showFacts(panel, [
      ['Error (NMSE)', decibels(nmse(found, signal))],
      ['Nonzero numbers', `${signal.filter((value) => value !== 0).length} of ${signal.length}`],
      ['Compute', `${answer.timing.compute_ms.toFixed(1)} ms`],
      ['Promise', promiseOf(answer, manifest)],
    ]);
  }

  /** Asks for the answer at each exit, which shows what further layers would bring. */
  async function showErrors({ name, exits, depth: maxDepth }, request, stop) {
    const scale = 10 ** number('scale');
    const points = [];
    for (const depth of exits) {
      const answer = await ask('recover', {
        ...request,
        query: { model: name, rule: 'fixed', depth },
      });
      points.push([
        depth,
        nmse(
          answer.signals[0].map((value) => value / scale),
          signal,
        ),
      ]);
    }
    request.signal.throwIfAborted();
    const values = points.map(([, value]) => value);
    const range = [Math.floor(Math.min(...values)) - 1, Math.ceil(Math.max(...values)) + 1];
    const label = `Error after each exit: ${points.map(([depth, value]) => `${decibels(value)} at depth ${depth}`).join(', ')}.`;
    depthChart($('[data-errors]'), {
      exits,
      maxDepth,
      traces: [points],
      stop,
      range,
      label,
      digits: 0,
    });
  }

  const renew = () => {
    signal = randomSignal(length(), number('sparsity') / 100, seed);
    found = undefined;
    sending.soon();
  };
  const said = {
    sparsity: (value) => `${value} %`,
    snr: (value) => `${value} dB`,
    scale: (value) => `× 10${superscript(value)}`,
  };
  for (const [name, words] of Object.entries(said)) {
    const input = $(`[data-${name}]`);
    const show = () => {
      input.nextElementSibling.textContent = words(input.value);
      input.setAttribute('aria-valuetext', words(input.value));
    };
    input.addEventListener('input', () => {
      show();
      if (name === 'sparsity') renew();
      else sending.soon();
    });
    show();
  }
  $('[data-random]').addEventListener('click', () => {
    seed++;
    renew();
  });
  $('[data-blank]').addEventListener('click', () => {
    signal = new Float64Array(length());
    found = undefined;
    sending.now();
    chart.focus();
  });
  $('[data-model]').addEventListener('change', () => {
    stopping.use(model());
    renew();
  });
  installPen();

  /** Drawing by pointer and by keyboard. Values reach from −3 to 3. */
  function installPen() {
    const set = (index, value) => {
      signal[index] = value;
      found = undefined;
      draw();
      sending.soon();
    };
    const onGrid = (index) =>
      Math.min(signal.length - 1, Math.max(0, Math.round(index / GRID) * GRID));
    const onPointer = (event) => {
      if (event.buttons !== 1) return;
      const box = chart.getBoundingClientRect();
      const index = onGrid(((event.clientX - box.left) / box.width) * signal.length);
      const height = 1 - (2 * (event.clientY - box.top)) / box.height;
      set(index, Math.abs(height) < 0.06 ? 0 : Math.max(-3, Math.min(3, 3 * height)));
    };
    chart.addEventListener('pointerdown', (event) => {
      chart.setPointerCapture(event.pointerId);
      onPointer(event);
    });
    chart.addEventListener('pointermove', onPointer);
    chart.addEventListener('focus', () => {
      cursor ??= onGrid(signal.length / 2);
      if (chart.matches(':focus-visible')) draw();
    });
    chart.addEventListener('blur', () => {
      cursor = undefined;
      draw();
    });
    const keys = {
      ArrowLeft: () => (cursor = onGrid(cursor - GRID)),
      ArrowRight: () => (cursor = onGrid(cursor + GRID)),
      ArrowUp: () => set(cursor, Math.min(3, signal[cursor] + 0.5)),
      ArrowDown: () => set(cursor, Math.max(-3, signal[cursor] - 0.5)),
      Delete: () => set(cursor, 0),
    };
    chart.addEventListener('keydown', (event) => {
      if (!keys[event.key] || cursor === undefined) return;
      event.preventDefault();
      keys[event.key]();
      draw();
    });
  }

  return () => {
    fillModels(
      $('[data-model]'),
      models,
      models.find((one) => one.default)?.name ?? models[0].name,
    );
    stopping.use(model());
    renew();
  };
}
