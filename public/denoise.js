/** Denoising: a picture, noise to add, the answer beside it, and how deep each tile went. */
import { ask, call } from './api.js';
import { comparison } from './compare.js';
import { percent, say, showFacts } from './dom.js';
import * as images from './images.js';
import { latest } from './latest.js';
import { Panel } from './panel.js';
import { qualityOf, readPicture, withNoise } from './picture.js';
import { inWords, promiseOf } from './stopping.js';
import { clearTrace, follow } from './trace.js';

/** Longer side of large pictures after reduction, pixels. */
const REDUCED = 1024;
const samples = {
  color: { file: 'clean.jpg', noise: 25 },
  gray: { file: 'clean.jpg', noise: 25, gray: true },
  noisy: { file: 'noisy.png', noise: 0 },
};
const channelsOf = ({ inputs: [{ shape }] }) => shape[1];

export class Denoise extends Panel {
  frame = comparison(this.$('[data-compare]'));
  /** The picture as it was chosen. */
  picture;
  /** What is sent: `{blob, pixels, added?, full?}`; it lasts until picture or noise change. */
  sent;

  /** Fetches the picture that was chosen last. */
  loading = latest(
    async (signal, source) => {
      this.sending.stop();
      say(this.root, 'Loading …');
      this.frame.setStale(true);
      const file = await source(signal);
      const bitmap = await images.decode(file, (unreadable) => images.convert(unreadable, signal));
      signal.throwIfAborted();
      this.use(file, bitmap);
    },
    (error) => {
      this.picture = undefined;
      this.frame.clear();
      this.fail(error);
    },
  );

  constructor(root, models) {
    super(root, models);
    this.watchNoise();
    this.watchPictures();
    this.$('[data-show-tiles]').addEventListener('change', ({ target }) =>
      this.frame.showTiles(target.checked),
    );
  }

  /** Sends the first picture. */
  start() {
    return this.takeSample(this.$('[data-sample]').value);
  }

  watchNoise() {
    const renew = () => {
      this.showNoise();
      this.sent = undefined;
      this.sending.soon();
    };
    this.$('[data-noise]').addEventListener('input', renew);
    this.$('[data-noise-kind]').addEventListener('change', renew);
  }

  watchPictures() {
    const sample = this.$('[data-sample]');
    sample.addEventListener('change', () => this.takeSample(sample.value));
    images.takePictures(this.root, (file) => {
      sample.value = '';
      this.setNoise(0);
      void this.loading.now(() => Promise.resolve(file));
    });
    this.$('[data-reduce]').addEventListener('change', () => {
      if (this.picture) this.use(this.picture.source, this.picture.bitmap);
    });
  }

  takeSample(name) {
    const { file, noise, gray } = samples[name];
    this.setNoise(noise);
    return this.loading.now(async (signal) => {
      const blob = await (await call(`samples/${file}`, { signal })).blob();
      return Object.assign(blob, { name: file, gray });
    });
  }

  setNoise(strength) {
    this.$('[data-noise]').value = String(strength);
    this.showNoise();
  }

  showNoise() {
    const strength = this.$('[data-noise]').value;
    const words = strength === '0' ? 'none' : `σ ${strength}`;
    this.$('[data-noise-said]').textContent = words;
    this.$('[data-noise]').setAttribute('aria-valuetext', words);
  }

  /** Takes a picture, reduced where that is asked for, and sends it. */
  use(file, bitmap) {
    const large = Math.max(bitmap.width, bitmap.height) > REDUCED * 1.25;
    this.$('[data-reduce]').hidden = !large;
    const reduce = large && this.$('[data-reduce] input').checked;
    this.picture = readPicture(file, bitmap, reduce ? REDUCED : Infinity);
    const { width, height, reduced, gray } = this.picture;
    this.$('[data-note]').hidden = !reduced;
    this.$('[data-note]').textContent =
      `Reduced from ${bitmap.width} × ${bitmap.height} to ${width} × ${height}, which takes noise away too.`;
    const fitting = this.models.filter((model) => channelsOf(model) === 3 || gray);
    this.offer(fitting, this.defaultFor(gray));
    this.sent = undefined;
    void this.sending.now();
  }

  defaultFor(gray) {
    return (
      this.models.find((model) => model.default && channelsOf(model) === (gray ? 1 : 3)) ??
      this.models.find((model) => channelsOf(model) === 3) ??
      this.models[0]
    );
  }

  /** The parameter that names a model; none for the one that the service takes by itself. */
  naming(manifest) {
    return manifest === this.defaultFor(this.picture.gray) ? {} : { model: manifest.name };
  }

  async send(signal) {
    if (!this.picture) return;
    this.frame.setStale(true);
    say(this.root, 'Working …');
    const sent = await this.prepare(signal);
    const type = sent.blob.type || 'application/octet-stream';
    const request = { body: sent.blob, type, signal };
    const manifest = this.model;
    const trace = follow(this.root, manifest, this.stopping.threshold());
    const query = { ...this.naming(manifest), ...this.stopping.query() };
    const answer = await ask('denoise', { ...request, query, onExit: trace.onExit });
    const blob = images.fromBase64(answer.image.data, `image/${answer.image.format}`);
    signal.throwIfAborted();
    this.show(answer, blob);
    trace.finish(answer.samples);
    const quality = await qualityOf(this.picture, sent, blob);
    signal.throwIfAborted();
    this.report(answer, manifest, { quality });
    const full = await this.fullDepth(sent, manifest, request, answer);
    this.report(answer, manifest, { quality, full });
  }

  /** What is sent; it is made once for each picture and noise. */
  async prepare(signal) {
    if (!this.sent) {
      const kind = this.$('[data-noise-kind]').value;
      const strength = Number(this.$('[data-noise]').value);
      const sent = await withNoise(this.picture, { kind, strength });
      signal.throwIfAborted();
      this.sent = sent;
      this.frame.setBefore(sent.blob);
    }
    return this.sent;
  }

  show({ image, samples: tiles }, blob) {
    this.frame.setAfter(blob);
    this.frame.setTiles(tiles, image);
    const download = this.$('[data-download]');
    URL.revokeObjectURL(download.href);
    Object.assign(download, {
      href: URL.createObjectURL(blob),
      download: `${this.picture.name}-denoised.${image.format}`,
      hidden: false,
    });
  }

  fail(error) {
    this.sent = undefined;
    this.frame.clearAnswer();
    clearTrace(this.root);
    showFacts(this.root, []);
    this.$('[data-download]').hidden = true;
    say(this.root, error.message, true);
  }

  /** Compute of all layers on this picture, ms: measured once for each picture and model. */
  async fullDepth(sent, manifest, request, answer) {
    const { name, depth } = manifest;
    sent.full ??= {};
    if (answer.samples.every((sample) => sample.depth === depth))
      sent.full[name] ??= answer.timing.compute_ms;
    if (sent.full[name] === undefined) {
      const query = { ...this.naming(manifest), rule: 'fixed', depth };
      sent.full[name] = (await ask('denoise', { ...request, query })).timing.compute_ms;
    }
    return sent.full[name];
  }

  report(answer, manifest, { quality, full }) {
    const { depth_mean: mean, max_depth: most, timing, noise_level: level } = answer;
    const reasons = [...new Set(answer.samples.map(({ reason }) => inWords(reason)))].join('; ');
    const took = `${timing.compute_ms.toFixed(0)}\u00a0ms`;
    const saved = full === undefined ? undefined : Math.max(0, 1 - timing.compute_ms / full);
    const where =
      answer.depth === 0
        ? 'Left as it is: it needs nothing'
        : `Stopped after ${mean} of ${most} layers`;
    say(this.root, `${where} (${reasons}).${saved ? ` ${percent(saved)} of the time saved.` : ''}`);
    showFacts(this.root, [
      ['Compute', full === undefined ? took : `${took}; all layers: ${full.toFixed(0)}\u00a0ms`],
      ['Noise found', level === undefined ? undefined : `σ ${level} of 255`],
      [
        'PSNR against the clean picture',
        quality && `${quality.before.toFixed(1)} dB → ${quality.after.toFixed(1)} dB`,
      ],
      ['Promise', promiseOf(answer, manifest)],
    ]);
  }
}
