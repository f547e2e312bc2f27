/** The classes to learn: a drawing pad and a name for each. */
import { element } from './dom.js';
import { DrawingPad } from './pad.js';

const MOST_CLASSES = 8;

export class ClassPads {
  /** `{pad, label, box}` of each class. */
  list = [];

  /**
   * @param target holds the pads
   * @param adding the button that adds a class
   * @param sending sends the drawings anew, `now` or `soon`
   */
  constructor(target, adding, sending) {
    this.target = target;
    this.adding = adding;
    this.sending = sending;
    adding.addEventListener('click', () =>
      this.add(String.fromCharCode(65 + this.list.length)).canvas.focus(),
    );
  }

  /** The classes with a drawing: `{pad, name}` of each. */
  drawn() {
    return this.list
      .filter(({ pad }) => !pad.isEmpty())
      .map(({ pad, label }) => ({ pad, name: label.value.trim() }));
  }

  /** Adds a class and gives its pad. */
  add(name) {
    const label = element('input', { type: 'text', value: name, maxLength: 40 });
    label.setAttribute('aria-label', `Name of class ${this.list.length + 1}`);
    const pad = new DrawingPad(name, () => this.sending.now());
    label.addEventListener('input', () => {
      pad.rename(label.value);
      this.sending.soon();
    });
    const box = pad.boxed(label);
    this.target.append(box);
    this.list.push({ pad, label, box });
    this.adding.disabled = this.list.length >= MOST_CLASSES;
    return pad;
  }

  /** Replaces all classes and gives the new pads. */
  replace(names) {
    this.list = [];
    this.target.replaceChildren();
    return names.map((name) => this.add(name));
  }

  /** Marks the class of this name; none where it is undefined. */
  mark(name) {
    for (const { box, label } of this.list)
      box.classList.toggle('chosen', label.value.trim() === name);
  }
}
