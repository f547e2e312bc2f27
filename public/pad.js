/** A pad to draw on with pointer or keyboard. What it sends is centred, of one size and one stroke width, as characters are usually given. */
import { element } from './dom.js';

/** Sides of the pad and of the file it gives, pixels. */
const SIDE = 272;
const FILE_SIDE = 105;
/** The longer side of the drawing in the file, and its strokes, pixels. */
const FILE_INK = 70;
const FILE_STROKE = 3;
const STEP = 12;

/**
 * @param changed called after a stroke, or when the pad is cleared
 */
export function drawingPad(name, changed) {
  const canvas = element('canvas', { width: SIDE, height: SIDE, tabIndex: 0 });
  canvas.setAttribute('role', 'application');
  const rename = (text) =>
    canvas.setAttribute(
      'aria-label',
      `Drawing of ${text}. Arrow keys move the pen, space puts it down or lifts it, Delete clears.`,
    );
  rename(name);
  const pen = canvas.getContext('2d');
  let strokes = [];
  /** A file that stands in for strokes. */
  let sample;
  let hand = { x: SIDE / 2, y: SIDE / 2, down: false, shown: false };

  const trace = (context, list) => {
    context.lineCap = context.lineJoin = 'round';
    for (const points of list) {
      context.beginPath();
      context.moveTo(...points[0]);
      for (const point of points.length > 1 ? points.slice(1) : points) context.lineTo(...point);
      context.stroke();
    }
  };
  function draw() {
    pen.fillStyle = '#fff';
    pen.fillRect(0, 0, SIDE, SIDE);
    if (sample) pen.drawImage(sample.bitmap, 0, 0, SIDE, SIDE);
    pen.strokeStyle = '#111';
    pen.lineWidth = 8;
    trace(pen, strokes);
    if (!hand.shown) return;
    pen.beginPath();
    pen.fillStyle = hand.down ? '#0b6e63' : '#b25a00';
    pen.arc(hand.x, hand.y, 7, 0, 7);
    pen.fill();
  }
  const begin = (point) => {
    sample = undefined;
    strokes.push([point]);
    draw();
  };
  const extend = (point) => {
    strokes.at(-1).push(point);
    draw();
  };
  const clear = () => {
    strokes = [];
    sample = undefined;
    hand.down = false;
    draw();
  };

  const placeOf = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    return [((clientX - box.left) / box.width) * SIDE, ((clientY - box.top) / box.height) * SIDE];
  };
  let drawing = false;
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    drawing = true;
    hand.shown = false;
    begin(placeOf(event));
  });
  canvas.addEventListener('pointermove', (event) => {
    if (drawing) extend(placeOf(event));
  });
  for (const name of ['pointerup', 'pointercancel'])
    canvas.addEventListener(name, () => {
      if (drawing) changed();
      drawing = false;
    });

  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener('keydown', (event) => {
    const { key } = event;
    if (!moves[key] && ![' ', 'Delete'].includes(key)) return;
    event.preventDefault();
    hand.shown = true;
    if (moves[key]) {
      const [dx, dy] = moves[key];
      const inside = (value) => Math.min(SIDE - 20, Math.max(20, value));
      hand = { ...hand, x: inside(hand.x + STEP * dx), y: inside(hand.y + STEP * dy) };
      if (hand.down) extend([hand.x, hand.y]);
    } else if (key === 'Delete') {
      clear();
      changed();
    } else {
      hand.down = !hand.down;
      if (hand.down) begin([hand.x, hand.y]);
      else changed();
    }
    draw();
  });
  canvas.addEventListener('blur', () => {
    hand = { ...hand, shown: false, down: false };
    draw();
  });
  draw();

  /** The strokes, centred and of the usual size, dark on white. */
  function toFile() {
    if (sample) return Promise.resolve(sample.file);
    const points = strokes.flat();
    const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
    const [left, right] = [Math.min(...xs), Math.max(...xs)];
    const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
    const scale = FILE_INK / Math.max(right - left, bottom - top, SIDE / 8);
    const place = ([x, y]) => [
      FILE_SIDE / 2 + scale * (x - (left + right) / 2),
      FILE_SIDE / 2 + scale * (y - (top + bottom) / 2),
    ];
    const file = element('canvas', { width: FILE_SIDE, height: FILE_SIDE });
    const context = file.getContext('2d');
    context.fillStyle = '#fff';
    context.fillRect(0, 0, FILE_SIDE, FILE_SIDE);
    context.lineWidth = FILE_STROKE;
    trace(
      context,
      strokes.map((stroke) => stroke.map(place)),
    );
    return new Promise((resolve) => file.toBlob(resolve, 'image/png'));
  }

  return {
    canvas,
    clear,
    rename,
    toFile,
    isEmpty: () => !sample && strokes.length === 0,
    async show(file) {
      const bitmap = await createImageBitmap(file);
      clear();
      sample = { file, bitmap };
      draw();
    },
  };
}
