/** Two versions of a picture in one frame: a handle moves the border between them. The depth of each tile lies on top. */
import { element } from './dom.js';

/** Fills the frame and gives the functions that change it. */
export function comparison(frame) {
  const image = (alt, className) => element('img', { alt, className, hidden: true });
  const before = image('The picture as it was sent', 'before');
  const after = image('The picture as it was answered', 'after');
  const tiles = element('div');
  const cover = element('div', { hidden: true });
  const handle = element('input', { type: 'range', min: 0, max: 100, value: 50 });
  handle.setAttribute('aria-label', 'How much of the picture is shown as it was sent, in percent');
  cover.append(
    element('div', { className: 'line' }),
    element('span', { className: 'side left' }, 'sent'),
    element('span', { className: 'side right' }, 'answered'),
    handle,
  );
  frame.append(before, after, tiles, cover);
  const move = () => frame.style.setProperty('--at', `${handle.value}%`);
  handle.addEventListener('input', move);
  move();

  const show = (target, blob) => {
    URL.revokeObjectURL(target.src);
    target.hidden = !blob;
    if (blob) target.src = URL.createObjectURL(blob);
    else target.removeAttribute('src');
  };
  const clearAnswer = () => {
    show(after, undefined);
    tiles.replaceChildren();
    cover.hidden = true;
    setStale(false);
  };
  const setStale = (stale) => {
    after.classList.toggle('stale', stale);
    tiles.classList.toggle('stale', stale);
    frame.setAttribute('aria-busy', String(stale));
  };

  return {
    setStale,
    clearAnswer,
    clear() {
      clearAnswer();
      show(before, undefined);
    },
    setBefore: (blob) => show(before, blob),
    setAfter(blob) {
      show(after, blob);
      cover.hidden = false;
      setStale(false);
    },
    /** @param samples with their place and depth @param size of the picture, pixels */
    setTiles(samples, { width, height }) {
      tiles.replaceChildren(
        ...samples.map(({ x, y, width: w, height: h, depth }) => {
          const tile = element('div', { className: 'tile' }, element('span', {}, `depth ${depth}`));
          Object.assign(tile.style, {
            left: `${(100 * x) / width}%`,
            top: `${(100 * y) / height}%`,
            width: `${(100 * w) / width}%`,
            height: `${(100 * h) / height}%`,
          });
          return tile;
        }),
      );
    },
    showTiles: (shown) => (tiles.hidden = !shown),
  };
}
