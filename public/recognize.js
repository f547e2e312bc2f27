/** Recognition: a picture, its likeliest classes, and the answer at every exit. */
import { ask } from './api.js';
import { showDepth } from './charts.js';
import { element, fillModels, percent, say, showBars, showFacts } from './dom.js';
import * as images from './images.js';
import { latest } from './latest.js';
import { inWords, promiseOf, stoppingControls } from './stopping.js';

/** The network looks at a few dozen pixels a side: more need not be sent. */
const SIDE = 256;
/** Drawings of this page. */
const samples = ['orange', 'sunflower', 'bottle', 'sea'];

/** Starts the panel; gives the function that sends the first sample. */
export function startRecognize(panel, models) {
  const $ = (selector) => panel.querySelector(selector);
  const stopping = stoppingControls($('[data-stopping]'), 'recognize', () => sending.soon());
  const shown = $('[data-picture]');
  const model = () => models.find(({ name }) => name === $('[data-model]').value);
  /** The file that is sent. */
  let blob;

  function clearAnswer() {
    $('[data-scores]').replaceChildren();
    $('[data-depth]').replaceChildren();
    $('[data-exits]').hidden = true;
    showFacts(panel, []);
  }
  const fail = (error) => {
    clearAnswer();
    say(panel, error.message, true);
  };

  /** Fetches the picture that was chosen last. */
  let source;
  const loading = latest(
    async (signal) => {
      sending.stop();
      const picture = await source(signal);
      const [short, long] = [picture.width, picture.height].sort((a, b) => a - b);
      const longest = Math.min(long, (SIDE * long) / short);
      const file = await images.toPng(images.toCanvas(picture, longest));
      signal.throwIfAborted();
      blob = file;
      URL.revokeObjectURL(shown.src);
      Object.assign(shown, { src: URL.createObjectURL(blob), hidden: false });
      void sending.now();
    },
    (error) => {
      blob = undefined;
      shown.hidden = true;
      fail(error);
    },
  );
  const take = (from) => {
    source = from;
    return loading.now();
  };

  const sending = latest(async (signal) => {
    if (!blob) return;
    say(panel, 'Working …');
    const manifest = model();
    const request = { body: blob, type: blob.type, signal };
    const answer = await ask('recognize', {
      ...request,
      query: { model: manifest.name, ...stopping.query() },
    });
    signal.throwIfAborted();
    const { depth, max_depth: maxDepth, reason, label, scores } = answer;
    const [{ score }] = scores;
    say(
      panel,
      `It looks like “${label}” (${percent(score)}), after ${depth} of ${maxDepth} layers.`,
    );
    showBars(
      $('[data-scores]'),
      scores.map((one) => [one.label, one.score]),
    );
    showDepth($('[data-depth]'), { exits: manifest.exits, maxDepth, depths: [depth] });
    showFacts(panel, [
      ['Stopped', inWords(reason)],
      ['Compute', `${answer.timing.compute_ms.toFixed(1)} ms`],
      ['Promise', promiseOf(answer, manifest)],
    ]);
    await showExits(manifest, request, depth);
  }, fail);

  /** Asks for the answer at each exit. */
  async function showExits({ name, exits }, request, stop) {
    const rows = [];
    for (const depth of exits) {
      const query = { model: name, rule: 'fixed', depth };
      const { scores, pi } = await ask('recognize', { ...request, query });
      const [{ label, score }] = scores;
      const last = pi[exits.indexOf(depth)];
      const cell = (text, className = '') => element('td', { className }, text);
      const head = element(
        'th',
        { scope: 'row' },
        depth === stop ? `${depth} ◄ stopped here` : `${depth}`,
      );
      const row = element('tr', {}, head, cell(label), cell(percent(score), 'number'));
      row.append(cell(typeof last === 'number' ? last.toFixed(3) : '–', 'number'));
      row.className = depth === stop ? 'stopped' : depth > stop ? 'skipped' : '';
      rows.push(row);
    }
    request.signal.throwIfAborted();
    $('[data-exits] tbody').replaceChildren(...rows);
    $('[data-exits]').hidden = false;
  }

  const takeSample = (name) =>
    take(async () => {
      const picture = new Image(SIDE, SIDE);
      picture.src = `pictures/${name}.svg`;
      await picture.decode();
      return picture;
    });
  $('[data-sample]').append(...samples.map((name) => element('option', {}, name)));
  $('[data-sample]').value = samples[0];
  $('[data-sample]').addEventListener('change', ({ target }) => takeSample(target.value));
  $('[data-model]').addEventListener('change', () => {
    stopping.use(model());
    sending.now();
  });
  images.takePictures(panel, (file) => {
    $('[data-sample]').value = '';
    void take((signal) => images.decode(file, (unreadable) => images.convert(unreadable, signal)));
  });
  return () => {
    fillModels(
      $('[data-model]'),
      models,
      models.find((one) => one.default)?.name ?? models[0].name,
    );
    stopping.use(model());
    return takeSample(samples[0]);
  };
}
