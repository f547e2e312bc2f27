// Over Swagger UI, for screen readers and the keyboard: names for its form controls and regions, and focus for what scrolls.
const page = document.querySelector('#swagger-ui');

const NAMED = [
  [
    'tr[data-param-name] :is(input, select, textarea)',
    (one) => one.closest('tr').dataset.paramName,
  ],
  ['.body-param__text', () => 'Request body'],
  ['.opblock-section-request-body .content-type', () => 'Type of the request body'],
  [
    '.opblock-section-request-body tbody :is(input, select, textarea)',
    (one) => one.closest('tr').dataset.propertyName,
  ],
  ['.responses-wrapper img', () => 'The answer'],
  ['.responses-table', (one) => one.id || 'The answer'],
];

/** Levels of headings, which otherwise begin at the third. */
const LEVELS = [
  ['.opblock-tag', 2],
  ['.models > h4', 2],
  ['.opblock-body h4', 3],
  ['.opblock-body h5', 4],
];

function improve() {
  for (const [selector, nameOf] of NAMED)
    for (const one of page.querySelectorAll(`${selector}:not([aria-label])`))
      one.setAttribute('aria-label', nameOf(one) ?? 'Value');
  for (const one of page.querySelectorAll('pre.microlight:not([tabindex])')) one.tabIndex = 0;
  // Within a button; the address names the operation once it is open.
  for (const one of page.querySelectorAll('.opblock-summary-control a[href]'))
    one.removeAttribute('href');
  for (const one of page.querySelectorAll('.information-container:not([role])'))
    one.role = 'banner';
  for (const [selector, level] of LEVELS)
    for (const one of page.querySelectorAll(`${selector}:not([aria-level])`)) one.ariaLevel = level;
}

new MutationObserver(improve).observe(page, { childList: true, subtree: true });
improve();
