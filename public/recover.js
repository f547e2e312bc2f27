/** Sparse recovery: a signal, its measurements, and what comes back. */
import { ask, call } from './api.js';
import { clearChart, depthChart, spikeChart } from './charts.js';
import { say, showFacts } from './dom.js';
import { Panel } from './panel.js';
import { measure, nmse, randomSignal, readNpy } from './signals.js';
import { SpikePen } from './spike-pen.js';
import { inWords, promiseOf } from './stopping.js';
import { clearTrace, follow } from './trace.js';

const decibels = (value) => `${value.toFixed(1).replace('-', '−')} dB`;
const superscript = (value) =>
  value.replace('-', '⁻').replace(/\d/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]);
/** What the sliders say of their values. */
const sliders = {
  sparsity: (value) => `${value} %`,
  snr: (value) => `${value} dB`,
  scale: (value) => `× 10${superscript(value)}`,
};
const countNonzero = (signal) => signal.filter((value) => value !== 0).length;

export class Recover extends Panel {
  chart = this.$('[data-signal]');
  pen = new SpikePen(this.chart, this);
  /** Measurement matrices by the name of their model. */
  matrices = new Map();
  seed = 1;
  /** The true signal, and the recovered one where there is one. */
  signal;
  found;

  constructor(root, models) {
    super(root, models);
    for (const [name, words] of Object.entries(sliders)) this.watchSlider(name, words);
    this.$('[data-random]').addEventListener('click', () => {
      this.seed++;
      this.renew();
    });
    this.$('[data-blank]').addEventListener('click', () => {
      this.signal = new Float64Array(this.length);
      this.found = undefined;
      void this.sending.now();
      this.chart.focus();
    });
  }

  /** Sends the first signal. */
  start() {
    this.offerAll();
    this.renew();
  }

  modelChosen() {
    this.renew();
  }

  watchSlider(name, words) {
    const input = this.$(`[data-${name}]`);
    const show = () => {
      input.nextElementSibling.textContent = words(input.value);
      input.setAttribute('aria-valuetext', words(input.value));
    };
    input.addEventListener('input', () => {
      show();
      if (name === 'sparsity') this.renew();
      else this.sending.soon();
    });
    show();
  }

  number(name) {
    return Number(this.$(`[data-${name}]`).value);
  }

  /** How many numbers the model's signals have. */
  get length() {
    return this.model.outputs[0].shape[1];
  }

  /** Draws another random signal. */
  renew() {
    this.signal = randomSignal(this.length, this.number('sparsity') / 100, this.seed);
    this.found = undefined;
    this.sending.soon();
  }

  /** Changes one number of the signal. */
  set(index, value) {
    this.signal[index] = value;
    this.found = undefined;
    this.draw();
    this.sending.soon();
  }

  draw() {
    const { signal, found, pen } = this;
    const label = `${found ? 'True and recovered' : 'True'} signal of ${signal.length} numbers, ${countNonzero(signal)} of them not zero.`;
    const series = [['true', signal], ...(found ? [['found', found]] : [])];
    spikeChart(this.chart, { series, label, height: 190, cursor: pen.cursor });
  }

  async send(abort) {
    const manifest = this.model;
    this.draw();
    if (countNonzero(this.signal) === 0) {
      this.found = undefined;
      this.draw();
      say(this.root, 'Drag on the signal to draw some spikes.');
      return;
    }
    say(this.root, 'Working …');
    const matrix = await this.matrixOf(manifest, abort);
    const scale = 10 ** this.number('scale');
    const measured = this.measure(matrix, scale);
    const body = JSON.stringify({ measurements: Array.from(measured) });
    const request = { body, type: 'application/json', signal: abort };
    const trace = follow(this.root, manifest, this.stopping.threshold());
    const query = { model: manifest.name, ...this.stopping.query() };
    const answer = await ask('recover', { ...request, query, onExit: trace.onExit });
    abort.throwIfAborted();
    this.found = answer.signals[0].map((value) => value / scale);
    this.draw();
    trace.finish(answer.samples);
    this.report(answer, manifest);
    await this.showErrors(manifest, request, answer.samples[0].depth);
  }

  fail(error) {
    this.found = undefined;
    clearTrace(this.root);
    clearChart(this.$('[data-errors]'));
    showFacts(this.root, []);
    this.draw();
    say(this.root, error.message, true);
  }

  async matrixOf({ name }, abort) {
    if (!this.matrices.has(name)) {
      const file = await call(`v1/models/${name}/files/matrix.npy`, { signal: abort });
      this.matrices.set(name, readNpy(await file.arrayBuffer()));
    }
    return this.matrices.get(name);
  }

  /** Measures the signal and shows the measurements. */
  measure(matrix, scale) {
    const snr = this.number('snr');
    const measured = measure(matrix, this.signal, { snr, scale, seed: this.seed });
    const [m, n] = matrix.shape;
    const label = `${m} measurements of ${n} numbers, with noise at ${snr} dB`;
    this.$('[data-measured-said]').textContent = label;
    spikeChart(this.$('[data-measured]'), { series: [['thin', measured]], label, height: 110 });
    return measured;
  }

  report(answer, manifest) {
    const [{ depth, reason }] = answer.samples;
    const error = decibels(nmse(this.found, this.signal));
    say(
      this.root,
      `Recovered to ${error} after ${depth} of ${answer.max_depth} layers (${inWords(reason)}).`,
    );
    showFacts(this.root, [
      ['Error (NMSE)', error],
      ['Nonzero numbers', `${countNonzero(this.signal)} of ${this.signal.length}`],
      ['Compute', `${answer.timing.compute_ms.toFixed(1)} ms`],
      ['Promise', promiseOf(answer, manifest)],
    ]);
  }

  /** Asks for the answer at each exit, which shows what further layers would bring. */
  async showErrors({ name, exits, depth: maxDepth }, request, stop) {
    const scale = 10 ** this.number('scale');
    const points = [];
    for (const depth of exits) {
      const query = { model: name, rule: 'fixed', depth };
      const { signals } = await ask('recover', { ...request, query });
      const found = signals[0].map((value) => value / scale);
      points.push([depth, nmse(found, this.signal)]);
    }
    request.signal.throwIfAborted();
    const values = points.map(([, value]) => value);
    const range = [Math.floor(Math.min(...values)) - 1, Math.ceil(Math.max(...values)) + 1];
    const said = points.map(([depth, value]) => `${decibels(value)} at depth ${depth}`).join(', ');
    const label = `Error after each exit: ${said}.`;
    const traces = [points];
    depthChart(this.$('[data-errors]'), { exits, maxDepth, traces, stop, range, label, digits: 0 });
  }
}
