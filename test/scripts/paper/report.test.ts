import { expect, it } from 'vitest';
import { toMarkdown } from '../../../scripts/paper/report.ts';

it('a section is Markdown: numbers to the right, true minus signs, gaps as dashes, figures by their files', () => {
  const text = toMarkdown({
    heading: 'Depth',
    text: 'Measured.',
    tables: [{ columns: ['rule', 'dB'], rows: [['a|b', -27.5], ['none', undefined]] }], // prettier-ignore
    figures: [{ file: 'a.svg', caption: 'a plot', content: '<svg/>' }],
  });
  expect(text).toBe(`## Depth

Measured.

| rule |    dB |
| ---- | ----: |
| a\\|b | −27.5 |
| none |     – |

![a plot](a.svg)`);
});
