/** Short forms for building elements. */

/** An element with properties, and text or elements inside. */
export function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/** An SVG element with attributes. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/** Shows a sentence in the status line of a task. */
export function say(panel, text, bad = false) {
  const line = panel.querySelector('[data-status]');
  line.textContent = text;
  line.classList.toggle('bad', bad);
}

/** Shows facts as a list of terms and values; those without a value are left out. */
export function showFacts(panel, facts) {
  const list = facts.filter(([, value]) => value !== undefined);
  panel
    .querySelector('[data-facts]')
    .replaceChildren(
      ...list.map(([term, value]) =>
        element('div', {}, element('dt', {}, term), element('dd', {}, value)),
      ),
    );
}

/** Shows probabilities as bars. */
export function showBars(target, entries) {
  const list = element('ul', { className: 'bars' });
  for (const [label, share] of entries) {
    const meter = element('meter', { min: 0, max: 1, value: share });
    meter.setAttribute('aria-label', label);
    const number = element('span', { className: 'number' }, percent(share));
    list.append(element('li', {}, element('span', {}, label), meter, number));
  }
  target.replaceChildren(list);
}

/** 0.123 → 12 %. */
export const percent = (share) =>
  `${share > 0 && share < 0.1 ? (100 * share).toFixed(1) : Math.round(100 * share)}\u00a0%`;

/** Fills the model list of a task and keeps a choice other than the default where it is still there. */
export function fillModels(select, models, defaultName) {
  const chosen = select.value === select.dataset.default ? undefined : select.value;
  select.dataset.default = defaultName;
  select.replaceChildren(
    ...models.map(({ name }) =>
      element('option', { value: name }, name === defaultName ? `${name} (default)` : name),
    ),
  );
  select.value = models.some(({ name }) => name === chosen) ? chosen : defaultName;
}
