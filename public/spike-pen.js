/** Drawing spikes on a chart by pointer and by keyboard. Values reach from −3 to 3. */

/** Drawing sets every fifth number: neighbours would not be sparse. */
const GRID = 5;
const MOST = 3;
const STEP = 0.5;
const KEYS = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Delete'];

export class SpikePen {
  /** Index that the keyboard's pen is at; undefined while the chart has no focus. */
  cursor;

  /**
   * @param drawing `signal` is drawn on; `set(index, value)` changes a number of it, `draw()` shows it anew
   */
  constructor(chart, drawing) {
    this.chart = chart;
    this.drawing = drawing;
    chart.addEventListener('pointerdown', (event) => {
      chart.setPointerCapture(event.pointerId);
      this.onPointer(event);
    });
    chart.addEventListener('pointermove', (event) => this.onPointer(event));
    chart.addEventListener('focus', () => {
      this.cursor ??= this.onGrid(drawing.signal.length / 2);
      if (chart.matches(':focus-visible')) drawing.draw();
    });
    chart.addEventListener('blur', () => {
      this.cursor = undefined;
      drawing.draw();
    });
    chart.addEventListener('keydown', (event) => {
      if (!KEYS.includes(event.key) || this.cursor === undefined) return;
      event.preventDefault();
      this.press(event.key);
      drawing.draw();
    });
  }

  onGrid(index) {
    const last = this.drawing.signal.length - 1;
    return Math.min(last, Math.max(0, Math.round(index / GRID) * GRID));
  }

  onPointer({ buttons, clientX, clientY }) {
    if (buttons !== 1) return;
    const { left, top, width, height } = this.chart.getBoundingClientRect();
    const index = this.onGrid(((clientX - left) / width) * this.drawing.signal.length);
    const value = 1 - (2 * (clientY - top)) / height;
    this.drawing.set(
      index,
      Math.abs(value) < 0.06 ? 0 : Math.max(-MOST, Math.min(MOST, MOST * value)),
    );
  }

  press(key) {
    const { cursor, drawing } = this;
    const value = drawing.signal[cursor];
    if (key === 'ArrowLeft') this.cursor = this.onGrid(cursor - GRID);
    if (key === 'ArrowRight') this.cursor = this.onGrid(cursor + GRID);
    if (key === 'ArrowUp') drawing.set(cursor, Math.min(MOST, value + STEP));
    if (key === 'ArrowDown') drawing.set(cursor, Math.max(-MOST, value - STEP));
    if (key === 'Delete') drawing.set(cursor, 0);
  }
}
