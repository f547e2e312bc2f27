/** Denoising: a picture, noise to add, the answer beside it, and how deep each tile went. */
import { ask, call } from './api.js';
import { comparison } from './compare.js';
import { element, fillModels, percent, say, showFacts } from './dom.js';
import * as images from './images.js';
import { latest } from './latest.js';
import { addNoise } from './noise.js';
import { inWords, promiseOf, stoppingControls } from './stopping.js';
import { clearTrace, follow } from './trace.js';

/** Longer side of large pictures after reduction, pixels. */
const REDUCED = 1024;
const samples = {
  color: { file: 'clean.jpg', noise: 25 },
  gray: { file: 'clean.jpg', noise: 25, gray: true },
  noisy: { file: 'noisy.png', noise: 0 },
};
const channelsOf = ({ inputs: [{ shape }] }) => shape[1];

/** Starts the panel; gives the function that sends the first picture. */
export function startDenoise(panel, models) {
  const $ = (selector) => panel.querySelector(selector);
  const frame = comparison($('[data-compare]'));
  const stopping = stoppingControls($('[data-stopping]'), 'denoise', () => sending.soon());
  /** The picture as it was chosen: `{canvas, pixels, gray, file?, name, size}`. */
  let picture;
  /** What is sent: `{blob, pixels, full?}`; it lasts until picture or noise change. */
  let sent;

  const fail = (error) => {
    sent = undefined;
    frame.clearAnswer();
    clearTrace(panel);
    showFacts(panel, []);
    $('[data-download]').hidden = true;
    say(panel, error.message, true);
  };

  /** Fetches the picture that was chosen last. */
  let source;
  const loading = latest(
    async (signal) => {
      sending.stop();
      const file = await source(signal);
      const bitmap = await images.decode(file, (unreadable) => images.convert(unreadable, signal));
      signal.throwIfAborted();
      use(file, bitmap);
    },
    (error) => {
      picture = undefined;
      frame.clear();
      fail(error);
    },
  );
  const take = (from) => {
    source = from;
    return loading.now();
  };

  function use(file, bitmap) {
    const reduce = $('[data-reduce] input');
    const large = Math.max(bitmap.width, bitmap.height) > REDUCED * 1.25;
    $('[data-reduce]').hidden = !large;
    const canvas = images.toCanvas(bitmap, large && reduce.checked ? REDUCED : Infinity);
    const pixels = images.pixelsOf(canvas);
    if (file.gray) images.makeGray(pixels);
    const reduced = canvas.width < bitmap.width;
    $('[data-note]').hidden = !reduced;
    $('[data-note]').textContent =
      `Reduced from ${bitmap.width} × ${bitmap.height} to ${canvas.width} × ${canvas.height}, which takes noise away too.`;
    const asItIs = !reduced && !file.gray;
    const size = { width: canvas.width, height: canvas.height };
    const name = (file.name ?? 'picture').replace(/\.\w+$/, '');
    picture = { file: asItIs ? file : undefined, bitmap, source: file, pixels, name, ...size };
    picture.gray = images.isGray(pixels);
    const fitting = models.filter((model) => channelsOf(model) === 3 || picture.gray);
    fillModels($('[data-model]'), fitting, defaultFor(picture.gray)?.name);
    chooseModel();
    sent = undefined;
    sending.now();
  }

  const defaultFor = (gray) =>
    models.find((model) => model.default && channelsOf(model) === (gray ? 1 : 3)) ??
    models.find((model) => channelsOf(model) === 3) ??
    models[0];
  const named = (manifest) =>
    manifest === defaultFor(picture.gray) ? {} : { model: manifest.name };
  const model = () => models.find(({ name }) => name === $('[data-model]').value);
  const chooseModel = () => stopping.use(model());

  /** The file to send: the chosen one where nothing was added, else a PNG. */
  async function prepare() {
    const strength = Number($('[data-noise]').value);
    const kind = $('[data-noise-kind]').value;
    const { pixels, width, height, gray, file } = picture;
    if (strength === 0 && file) return { blob: file, pixels };
    const noisy = strength > 0 ? addNoise(pixels, width, { kind, strength, gray }) : pixels;
    const canvas = element('canvas', { width, height });
    canvas
      .getContext('2d')
      .putImageData(new ImageData(new Uint8ClampedArray(noisy), width, height), 0, 0);
    return { blob: await images.toPng(canvas), pixels: noisy, added: strength > 0 };
  }

  const sending = latest(async (signal) => {
    if (!picture) return;
    frame.setStale(true);
    say(panel, 'Working …');
    if (!sent) {
      const prepared = await prepare();
      signal.throwIfAborted();
      sent = prepared;
      frame.setBefore(sent.blob);
    }
    const current = sent;
    const request = {
      body: current.blob,
      type: current.blob.type || 'application/octet-stream',
      signal,
    };
    const manifest = model();
    const trace = follow(panel, manifest, stopping.threshold());
    const query = { ...named(manifest), ...stopping.query() };
    const answer = await ask('denoise', { ...request, query, onExit: trace.onExit });
    const blob = images.fromBase64(answer.image.data, `image/${answer.image.format}`);
    signal.throwIfAborted();
    frame.setAfter(blob);
    frame.setTiles(answer.samples, answer.image);
    trace.finish(answer.samples);
    const download = $('[data-download]');
    URL.revokeObjectURL(download.href);
    Object.assign(download, {
      href: URL.createObjectURL(blob),
      download: `${picture.name}-denoised.${answer.image.format}`,
      hidden: false,
    });
    const quality = await qualityOf(current, blob);
    signal.throwIfAborted();
    report(answer, manifest, { quality });
    const full = await fullDepth(current, manifest, request, answer);
    report(answer, manifest, { quality, full });
  }, fail);

  /** PSNR before and after, where the page added the noise and so knows the clean picture. */
  async function qualityOf({ added, pixels }, blob) {
    if (!added) return undefined;
    const answered = images.pixelsOf(images.toCanvas(await createImageBitmap(blob)));
    return {
      before: images.psnr(picture.pixels, pixels),
      after: images.psnr(picture.pixels, answered),
    };
  }

  /** Compute of all layers on this picture, ms: measured once for each picture and model. */
  async function fullDepth(current, manifest, request, answer) {
    const { name, depth } = manifest;
    current.full ??= {};
    if (answer.samples.every((sample) => sample.depth === depth))
      current.full[name] ??= answer.timing.compute_ms;
    if (current.full[name] === undefined) {
      const query = { ...named(manifest), rule: 'fixed', depth };
      current.full[name] = (await ask('denoise', { ...request, query })).timing.compute_ms;
    }
    return current.full[name];
  }

  function report(answer, manifest, { quality, full }) {
    const { depth_mean: mean, max_depth: most, timing, noise_level: level } = answer;
    const reasons = [...new Set(answer.samples.map(({ reason }) => inWords(reason)))].join('; ');
    const took = `${timing.compute_ms.toFixed(0)} ms`;
    const saved = full === undefined ? undefined : Math.max(0, 1 - timing.compute_ms / full);
    const where =
      answer.depth === 0
        ? 'Left as it is: it needs nothing'
        : `Stopped after ${mean} of ${most} layers`;
    say(panel, `${where} (${reasons}).${saved ? ` ${percent(saved)} of the time saved.` : ''}`);
    showFacts(panel, [
      ['Compute', full === undefined ? took : `${took}; all layers: ${full.toFixed(0)} ms`],
      ['Noise found', level === undefined ? undefined : `σ ${level} of 255`],
      [
        'PSNR against the clean picture',
        quality && `${quality.before.toFixed(1)} dB → ${quality.after.toFixed(1)} dB`,
      ],
      ['Promise', promiseOf(answer, manifest)],
    ]);
  }

  const noiseSaid = () => {
    const strength = $('[data-noise]').value;
    $('[data-noise-said]').textContent = strength === '0' ? 'none' : `σ ${strength}`;
    $('[data-noise]').setAttribute('aria-valuetext', $('[data-noise-said]').textContent);
  };
  const setNoise = (strength) => {
    $('[data-noise]').value = String(strength);
    noiseSaid();
  };
  const renew = () => {
    noiseSaid();
    sent = undefined;
    sending.soon();
  };
  $('[data-noise]').addEventListener('input', renew);
  $('[data-noise-kind]').addEventListener('change', renew);
  $('[data-model]').addEventListener('change', () => {
    chooseModel();
    sending.now();
  });
  $('[data-show-tiles]').addEventListener('change', ({ target }) =>
    frame.showTiles(target.checked),
  );
  $('[data-reduce]').addEventListener(
    'change',
    () => picture && use(picture.source, picture.bitmap),
  );
  const takeSample = (name) => {
    const { file, noise, gray } = samples[name];
    setNoise(noise);
    return take(async (signal) => {
      const blob = await (await call(`samples/${file}`, { signal })).blob();
      return Object.assign(blob, { name: file, gray });
    });
  };
  $('[data-sample]').addEventListener('change', ({ target }) => takeSample(target.value));
  images.takePictures(panel, (file) => {
    $('[data-sample]').value = '';
    setNoise(0);
    void take(() => Promise.resolve(file));
  });
  return () => takeSample($('[data-sample]').value);
}
