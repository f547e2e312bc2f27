/** Few-shot learning: a drawing of each class, and one to be named. */
import { ask, call } from './api.js';
import { element, fillModels, percent, say, showBars, showFacts } from './dom.js';
import { latest } from './latest.js';
import { drawingPad } from './pad.js';
import { inWords, promiseOf, stoppingControls } from './stopping.js';
import { clearTrace, follow } from './trace.js';

const MOST_CLASSES = 8;
/** Sample drawings: label, file. */
const examples = ['anchor', 'gate', 'kite'];
const exampleQuery = 'query-2';

/** Starts the panel; gives the function that shows the sample drawings. */
export function startFewShot(panel, models) {
  const $ = (selector) => panel.querySelector(selector);
  const stopping = stoppingControls($('[data-stopping]'), 'few-shot', () => sending.soon());
  /** `{pad, label, box}` of each class. */
  let classes = [];
  const query = drawingPad('what is to be named', () => sending.now());
  $('[data-query]').append(boxOf(query));

  function boxOf(pad, ...above) {
    const clear = element('button', { type: 'button' }, 'Clear');
    clear.addEventListener('click', () => {
      pad.clear();
      sending.now();
    });
    return element('div', { className: 'pad' }, ...above, pad.canvas, clear);
  }

  function addClass(name) {
    const label = element('input', { type: 'text', value: name, maxLength: 40 });
    label.setAttribute('aria-label', `Name of class ${classes.length + 1}`);
    const pad = drawingPad(name, () => sending.now());
    label.addEventListener('input', () => {
      pad.rename(label.value);
      sending.soon();
    });
    const box = boxOf(pad, label);
    $('[data-classes]').append(box);
    classes.push({ pad, label, box });
    $('[data-add]').disabled = classes.length >= MOST_CLASSES;
    return pad;
  }

  function setClasses(names) {
    classes = [];
    $('[data-classes]').replaceChildren();
    return names.map(addClass);
  }

  const model = () => models.find(({ name }) => name === $('[data-model]').value);

  function clearAnswer() {
    $('[data-scores]').replaceChildren();
    clearTrace(panel);
    showFacts(panel, []);
    for (const { box } of classes) box.classList.remove('chosen');
  }

  /** What is missing before there is something to ask; undefined where nothing is. */
  function missing() {
    const drawn = classes.filter(({ pad }) => !pad.isEmpty());
    if (drawn.length < 2) return 'Draw an example of at least two classes.';
    if (drawn.some(({ label }) => label.value.trim() === '')) return 'Give every class a name.';
    if (new Set(drawn.map(({ label }) => label.value.trim())).size < drawn.length)
      return 'Give the classes different names.';
    return query.isEmpty() ? 'Now draw one of them in the lower field.' : undefined;
  }

  const sending = latest(
    async (signal) => {
      const words = missing();
      if (words) {
        clearAnswer();
        say(panel, words);
        return;
      }
      say(panel, 'Working …');
      const form = new FormData();
      for (const { pad, label } of classes.filter(({ pad }) => !pad.isEmpty())) {
        form.append('label', label.value.trim());
        form.append('support', await pad.toFile(), 'support.png');
      }
      form.append('query', await query.toFile(), 'query.png');
      const manifest = model();
      const parameters = { model: manifest.name, ...stopping.query() };
      const answer = await ask('few-shot', { body: form, query: parameters, signal });
      signal.throwIfAborted();
      report(answer, manifest);
    },
    (error) => {
      clearAnswer();
      say(panel, error.message, true);
    },
  );

  function report(answer, manifest) {
    const [{ label, scores }] = answer.predictions;
    const { depth, max_depth: most, reason, timing } = answer;
    const best = Math.max(...scores);
    const steps = depth === 1 ? '1 gradient step' : `${depth} gradient steps`;
    say(panel, `It is “${label}” (${percent(best)}), after ${steps} of at most ${most}.`);
    for (const entry of classes)
      entry.box.classList.toggle('chosen', entry.label.value.trim() === label);
    showBars(
      $('[data-scores]'),
      answer.labels.map((name, i) => [name, scores[i]]),
    );
    follow(panel, manifest, stopping.threshold()).finish([answer]);
    showFacts(panel, [
      ['Stopped', inWords(reason)],
      ['Compute', `${timing.compute_ms.toFixed(0)} ms`],
      ['Promise', promiseOf(answer, manifest)],
    ]);
  }

  async function showExamples() {
    const pads = setClasses(examples);
    try {
      const files = await Promise.all(
        [...examples.map((name) => `${name}-1`), exampleQuery].map(async (name) =>
          (await call(`samples/characters/${name}.png`)).blob(),
        ),
      );
      await Promise.all([...pads, query].map((pad, i) => pad.show(files[i])));
    } catch (error) {
      say(panel, error.message, true);
      return;
    }
    await sending.now();
  }

  $('[data-clear]').addEventListener('click', () => {
    const [first] = setClasses(['A', 'B']);
    query.clear();
    sending.now();
    first.canvas.focus();
  });
  $('[data-example]').addEventListener('click', showExamples);
  $('[data-add]').addEventListener('click', () =>
    addClass(String.fromCharCode(65 + classes.length)).canvas.focus(),
  );
  $('[data-model]').addEventListener('change', () => {
    stopping.use(model());
    sending.now();
  });
  return () => {
    fillModels(
      $('[data-model]'),
      models,
      models.find((one) => one.default)?.name ?? models[0].name,
    );
    stopping.use(model());
    return showExamples();
  };
}
