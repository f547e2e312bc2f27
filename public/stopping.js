/** Controls of the stop rule: when the policy says so, within a tolerance or by a threshold, or at a fixed depth. */
import { element } from './dom.js';

/**
 * @param name of the radio buttons
 * @param changed called when a control moves
 */
export function stoppingControls(fieldset, name, changed) {
  const radio = (value, text) => {
    const input = element('input', { type: 'radio', name: `${name}-rule`, value });
    input.addEventListener('change', changed);
    return { input, label: element('label', {}, input, ` ${text}`) };
  };
  const slider = (owner, text) => {
    const caption = element('span', {}, text);
    const input = element('input', { type: 'range' });
    const output = element('output');
    input.addEventListener('input', () => {
      owner.input.checked = true;
      show();
      changed();
    });
    return {
      caption,
      input,
      output,
      label: element('label', { className: 'slider' }, caption, input, output),
    };
  };
  const policy = radio('policy', 'When the policy says so');
  const fixed = radio('fixed', 'At a fixed depth');
  const limit = slider(policy, 'π threshold');
  const depth = slider(fixed, 'Depth');
  policy.input.checked = true;
  fieldset.replaceChildren(
    element('legend', {}, 'Where to stop'),
    ...[policy.label, limit.label, fixed.label, depth.label],
  );
  let model = { exits: [1], depth: 1 };
  /** Rows of the calibration table, where at least one is certified. */
  let rows;

  function use(manifest) {
    if (manifest === model) return;
    model = manifest;
    const table = manifest.calibration;
    rows = table?.rows.some(({ guaranteed }) => guaranteed)
      ? [...table.rows].sort((a, b) => a.tolerance - b.tolerance)
      : undefined;
    limit.caption.textContent = rows ? 'Accepted loss' : 'π threshold';
    if (rows) {
      const start = rows.findIndex(({ tolerance }) => tolerance === table.default);
      setRange(limit.input, rows.length - 1, 1, Math.max(0, start));
    } else setRange(limit.input, 1, 0.005, manifest.threshold ?? 0.5);
    setRange(depth.input, manifest.exits.length - 1, 1, manifest.exits.length - 1);
    show();
  }

  const row = () => rows[Number(limit.input.value)];
  const chosenDepth = () => model.exits[Number(depth.input.value)];

  function show() {
    limit.output.textContent = rows
      ? lossOf(row().tolerance, model.calibration)
      : Number(limit.input.value).toFixed(3);
    limit.input.setAttribute('aria-valuetext', limit.output.textContent);
    depth.output.textContent = `${chosenDepth()} of ${model.depth}`;
    depth.input.setAttribute('aria-valuetext', depth.output.textContent);
  }

  /** The parameters of a request. */
  function query() {
    if (fixed.input.checked) return { rule: 'fixed', depth: chosenDepth() };
    return rows ? { tolerance: row().tolerance } : { threshold: limit.input.value };
  }

  /** The threshold on π; undefined where nothing is compared. */
  function threshold() {
    if (fixed.input.checked) return undefined;
    return rows ? (row().threshold ?? undefined) : Number(limit.input.value);
  }

  return { use, query, threshold };
}

function setRange(input, max, step, value) {
  Object.assign(input, { min: '0', max: String(max), step: String(step) });
  input.value = String(value);
}

const reasons = {
  policy: 'the policy was sure enough',
  max_depth: 'the last exit',
  fixed: 'as asked',
  deadline: 'the deadline was near',
  load: 'the service is loaded',
};

/** Why a sample stopped, in words. */
export const inWords = (reason) => reasons[reason] ?? reason;

const meanings = {
  gain: 'π is a score from 0 to 1: above 0.5 the model expects further layers to gain less than they cost. It does not say how much they would gain.',
  imitation:
    'π is the probability with which the model would stop here, learnt from the exits that were best in training.',
  unknown: 'π is the model’s own score, from 0 to 1, for stopping here.',
};

/** What π is, by how the model's policy was trained. */
export function meaningOfPi({ training, policy_files: own }) {
  // Policies that were trained for a finished bundle (train-policy) predict the gain, whatever those before did.
  const divergence = own?.length > 0 ? 'gain' : training?.config?.stageTwo?.divergence;
  if (divergence === undefined) return meanings.unknown;
  return divergence === 'gain' ? meanings.gain : meanings.imitation;
}

/** A loss with its unit: 0.5 dB, 1 point. */
const lossOf = (loss, { unit = '' } = {}) =>
  `${loss}\u00a0${loss === 1 && unit === 'points' ? 'point' : unit}`.trim();

/** What an answer by tolerance promises; undefined for other rules. */
export function promiseOf({ tolerance, guaranteed }, { calibration }) {
  if (tolerance === undefined) return undefined;
  const loss = lossOf(tolerance, calibration);
  if (!guaranteed) return `none is certified at ${loss}`;
  return calibration.unit === 'dB'
    ? `95 % of such requests lose at most ${loss}`
    : `on average at most ${loss} of accuracy lost`;
}
