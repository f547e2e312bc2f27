/** Few-shot learning: a drawing of each class, and one to be named. */
import { ask, call } from './api.js';
import { ClassPads } from './class-pads.js';
import { percent, say, showBars, showFacts } from './dom.js';
import { DrawingPad } from './pad.js';
import { Panel } from './panel.js';
import { inWords, promiseOf } from './stopping.js';
import { clearTrace, follow } from './trace.js';

/** Sample drawings: label, file. */
const examples = ['anchor', 'gate', 'kite'];
const exampleQuery = 'query-2';

export class FewShot extends Panel {
  classes = new ClassPads(this.$('[data-classes]'), this.$('[data-add]'), this.sending);
  query = new DrawingPad('what is to be named', () => this.sending.now());

  constructor(root, models) {
    super(root, models);
    this.$('[data-query]').append(this.query.boxed());
    this.$('[data-clear]').addEventListener('click', () => {
      const [first] = this.classes.replace(['A', 'B']);
      this.query.clear();
      void this.sending.now();
      first.canvas.focus();
    });
    this.$('[data-example]').addEventListener('click', () => this.showExamples());
  }

  /** Sends the sample drawings. */
  start() {
    this.offerAll();
    return this.showExamples();
  }

  async showExamples() {
    const pads = this.classes.replace(examples);
    say(this.root, 'Loading …');
    try {
      const files = await Promise.all(
        [...examples.map((name) => `${name}-1`), exampleQuery].map(async (name) =>
          (await call(`samples/characters/${name}.png`)).blob(),
        ),
      );
      await Promise.all([...pads, this.query].map((pad, i) => pad.show(files[i])));
    } catch (error) {
      say(this.root, error.message, true);
      return;
    }
    await this.sending.now();
  }

  /** What is missing before there is something to ask; undefined where nothing is. */
  missing() {
    const names = this.classes.drawn().map(({ name }) => name);
    if (names.length < 2) return 'Draw an example of at least two classes.';
    if (names.includes('')) return 'Give every class a name.';
    if (new Set(names).size < names.length) return 'Give the classes different names.';
    return this.query.isEmpty() ? 'Now draw one of them in the lower field.' : undefined;
  }

  async send(signal) {
    const words = this.missing();
    if (words) {
      this.clearAnswer();
      say(this.root, words);
      return;
    }
    say(this.root, 'Working …');
    const body = await this.toForm();
    const manifest = this.model;
    const query = { model: manifest.name, ...this.stopping.query() };
    const answer = await ask('few-shot', { body, query, signal });
    signal.throwIfAborted();
    this.report(answer, manifest);
  }

  async toForm() {
    const form = new FormData();
    for (const { pad, name } of this.classes.drawn()) {
      form.append('label', name);
      form.append('support', await pad.toFile(), 'support.png');
    }
    form.append('query', await this.query.toFile(), 'query.png');
    return form;
  }

  clearAnswer() {
    this.$('[data-scores]').replaceChildren();
    clearTrace(this.root);
    showFacts(this.root, []);
    this.classes.mark(undefined);
  }

  fail(error) {
    this.clearAnswer();
    say(this.root, error.message, true);
  }

  report(answer, manifest) {
    const [{ label, scores }] = answer.predictions;
    const { depth, max_depth: most, reason, timing } = answer;
    const best = Math.max(...scores);
    const steps = depth === 1 ? '1 gradient step' : `${depth} gradient steps`;
    say(this.root, `It is “${label}” (${percent(best)}), after ${steps} of at most ${most}.`);
    this.classes.mark(label);
    showBars(
      this.$('[data-scores]'),
      answer.labels.map((name, i) => [name, scores[i]]),
    );
    follow(this.root, manifest, this.stopping.threshold()).finish([answer]);
    showFacts(this.root, [
      ['Stopped', inWords(reason)],
      ['Compute', `${timing.compute_ms.toFixed(0)} ms`],
      ['Promise', promiseOf(answer, manifest)],
    ]);
  }
}
