/** Recognition: a picture, its likeliest classes, and the answer at every exit. */
import { ask } from './api.js';
import { showDepth } from './charts.js';
import { element, percent, say, showBars, showFacts } from './dom.js';
import * as images from './images.js';
import { latest } from './latest.js';
import { Panel } from './panel.js';
import { inWords, promiseOf } from './stopping.js';

/** The network looks at a few dozen pixels a side: more need not be sent. */
const SIDE = 256;
/** Drawings of this page. */
const samples = ['orange', 'sunflower', 'bottle', 'sea'];

export class Recognize extends Panel {
  shown = this.$('[data-picture]');
  /** The file that is sent. */
  blob;

  /** Fetches the picture that was chosen last. */
  loading = latest(
    async (signal, source) => {
      this.sending.stop();
      say(this.root, 'Loading …');
      const file = await toSend(await source(signal));
      signal.throwIfAborted();
      this.use(file);
    },
    (error) => {
      this.blob = undefined;
      this.shown.hidden = true;
      this.fail(error);
    },
  );

  constructor(root, models) {
    super(root, models);
    const sample = this.$('[data-sample]');
    sample.append(...samples.map((name) => element('option', {}, name)));
    sample.value = samples[0];
    sample.addEventListener('change', () => this.takeSample(sample.value));
    images.takePictures(root, (file) => {
      sample.value = '';
      void this.loading.now((signal) =>
        images.decode(file, (unreadable) => images.convert(unreadable, signal)),
      );
    });
  }

  /** Sends the first sample. */
  start() {
    this.offerAll();
    return this.takeSample(samples[0]);
  }

  takeSample(name) {
    return this.loading.now(async () => {
      const picture = new Image(SIDE, SIDE);
      picture.src = `pictures/${name}.svg`;
      await picture.decode();
      return picture;
    });
  }

  /** Shows a file and sends it. */
  use(file) {
    this.blob = file;
    URL.revokeObjectURL(this.shown.src);
    Object.assign(this.shown, { src: URL.createObjectURL(file), hidden: false });
    void this.sending.now();
  }

  async send(signal) {
    const { blob } = this;
    if (!blob) return;
    say(this.root, 'Working …');
    const manifest = this.model;
    const request = { body: blob, type: blob.type, signal };
    const query = { model: manifest.name, ...this.stopping.query() };
    const answer = await ask('recognize', { ...request, query });
    signal.throwIfAborted();
    this.report(answer, manifest);
    await this.showExits(manifest, request, answer.depth);
  }

  clearAnswer() {
    this.$('[data-scores]').replaceChildren();
    this.$('[data-depth]').replaceChildren();
    this.$('[data-exits]').hidden = true;
    showFacts(this.root, []);
  }

  fail(error) {
    this.clearAnswer();
    say(this.root, error.message, true);
  }

  report(answer, manifest) {
    const { depth, max_depth: maxDepth, reason, label, scores } = answer;
    const [{ score }] = scores;
    say(
      this.root,
      `It looks like “${label}” (${percent(score)}), after ${depth} of ${maxDepth} layers.`,
    );
    showBars(
      this.$('[data-scores]'),
      scores.map((one) => [one.label, one.score]),
    );
    showDepth(this.$('[data-depth]'), { exits: manifest.exits, maxDepth, depths: [depth] });
    showFacts(this.root, [
      ['Stopped', inWords(reason)],
      ['Compute', `${answer.timing.compute_ms.toFixed(1)} ms`],
      ['Promise', promiseOf(answer, manifest)],
    ]);
  }

  /** Asks for the answer at each exit. */
  async showExits({ name, exits }, request, stop) {
    const rows = [];
    for (const [i, depth] of exits.entries()) {
      const query = { model: name, rule: 'fixed', depth };
      const { scores, pi } = await ask('recognize', { ...request, query });
      rows.push(exitRow(depth, stop, scores[0], pi[i]));
    }
    request.signal.throwIfAborted();
    this.$('[data-exits] tbody').replaceChildren(...rows);
    this.$('[data-exits]').hidden = false;
  }
}

/** A picture as a PNG file whose shorter side is at most SIDE. */
function toSend(picture) {
  const [short, long] = [picture.width, picture.height].sort((a, b) => a - b);
  const longest = Math.min(long, (SIDE * long) / short);
  return images.toPng(images.toCanvas(picture, longest));
}

/** A row of the table of exits. @param stop the depth of the answer */
function exitRow(depth, stop, { label, score }, pi) {
  const cell = (text, className = '') => element('td', { className }, text);
  const words = depth === stop ? `${depth}\u00a0◄ stopped` : `${depth}`;
  const className = depth === stop ? 'stopped' : depth > stop ? 'skipped' : '';
  return element(
    'tr',
    { className },
    element('th', { scope: 'row' }, words),
    cell(label),
    cell(percent(score), 'number'),
    cell(typeof pi === 'number' ? pi.toFixed(3) : '–', 'number'),
  );
}
