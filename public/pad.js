/** A pad to draw on with pointer or keyboard. What it sends is centred, of one size and one stroke width, as characters are usually given. */
import { element } from './dom.js';
import { strokesToFile, trace } from './strokes.js';

/** Side of the pad, pixels. */
const SIDE = 272;
/** How far a key moves the pen, and how near to the border it comes, pixels. */
const STEP = 12;
const BORDER = 20;
const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const inside = (value) => Math.min(SIDE - BORDER, Math.max(BORDER, value));

export class DrawingPad {
  canvas = element('canvas', { width: SIDE, height: SIDE, tabIndex: 0 });
  strokes = [];
  /** A file that stands in for strokes: `{file, bitmap}`. */
  sample;
  /** The pen that the keyboard moves. */
  hand = { x: SIDE / 2, y: SIDE / 2, down: false, shown: false };

  /**
   * @param name of what is drawn
   * @param changed called after a stroke, or when the pad is cleared by its user
   */
  constructor(name, changed) {
    this.changed = changed;
    this.canvas.setAttribute('role', 'application');
    this.rename(name);
    this.watchPointer();
    this.watchKeys();
    this.draw();
  }

  rename(name) {
    this.canvas.setAttribute(
      'aria-label',
      `Drawing of ${name}. Arrow keys move the pen, space puts it down or lifts it, Delete clears.`,
    );
  }

  /** The pad with a button that clears it, below other elements. */
  boxed(...above) {
    const clear = element('button', { type: 'button' }, 'Clear');
    clear.addEventListener('click', () => {
      this.clear();
      this.changed();
    });
    return element('div', { className: 'pad' }, ...above, this.canvas, clear);
  }

  isEmpty() {
    return !this.sample && this.strokes.length === 0;
  }

  clear() {
    this.strokes = [];
    this.sample = undefined;
    this.hand.down = false;
    this.draw();
  }

  /** Shows a picture file in place of strokes. */
  async show(file) {
    const bitmap = await createImageBitmap(file);
    this.clear();
    this.sample = { file, bitmap };
    this.draw();
  }

  /** The drawing as a picture file. */
  toFile() {
    return this.sample ? Promise.resolve(this.sample.file) : strokesToFile(this.strokes, SIDE / 8);
  }

  draw() {
    const { hand, sample } = this;
    const pen = this.canvas.getContext('2d');
    pen.fillStyle = '#fff';
    pen.fillRect(0, 0, SIDE, SIDE);
    if (sample) pen.drawImage(sample.bitmap, 0, 0, SIDE, SIDE);
    pen.strokeStyle = '#111';
    pen.lineWidth = 8;
    trace(pen, this.strokes);
    if (!hand.shown) return;
    pen.beginPath();
    pen.fillStyle = hand.down ? '#0b6e63' : '#b25a00';
    pen.arc(hand.x, hand.y, 7, 0, 7);
    pen.fill();
  }

  begin(point) {
    this.sample = undefined;
    this.strokes.push([point]);
    this.draw();
  }

  extend(point) {
    this.strokes.at(-1).push(point);
    this.draw();
  }

  watchPointer() {
    const { canvas } = this;
    let drawing = false;
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId);
      drawing = true;
      this.hand.shown = false;
      this.begin(this.placeOf(event));
    });
    canvas.addEventListener('pointermove', (event) => {
      if (drawing) this.extend(this.placeOf(event));
    });
    for (const name of ['pointerup', 'pointercancel'])
      canvas.addEventListener(name, () => {
        if (drawing) this.changed();
        drawing = false;
      });
  }

  placeOf({ clientX, clientY }) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    return [((clientX - left) / width) * SIDE, ((clientY - top) / height) * SIDE];
  }

  watchKeys() {
    this.canvas.addEventListener('keydown', (event) => {
      const { key } = event;
      if (!moves[key] && ![' ', 'Delete'].includes(key)) return;
      event.preventDefault();
      this.hand.shown = true;
      if (moves[key]) this.moveHand(moves[key]);
      else if (key === 'Delete') {
        this.clear();
        this.changed();
      } else this.turnHand();
      this.draw();
    });
    this.canvas.addEventListener('blur', () => {
      this.hand = { ...this.hand, shown: false, down: false };
      this.draw();
    });
  }

  moveHand([dx, dy]) {
    const { x, y, down } = this.hand;
    this.hand = { ...this.hand, x: inside(x + STEP * dx), y: inside(y + STEP * dy) };
    if (down) this.extend([this.hand.x, this.hand.y]);
  }

  /** Puts the pen down or lifts it. */
  turnHand() {
    const { hand } = this;
    hand.down = !hand.down;
    if (hand.down) this.begin([hand.x, hand.y]);
    else this.changed();
  }
}
