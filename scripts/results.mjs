// The tables of the README's results, out of the reports that `npm run reproduce` wrote into docs/. A marker there names a report, a
// heading in it, and the rows that are taken, by how their first cell begins; --check says whether the README is as the reports are.
import { readFileSync, writeFileSync } from 'node:fs';

const marked = /(<!-- table (\S+) "([^"]+)": (.+) -->\n)[^]*?(<!-- end -->)/g;
const before = readFileSync('README.md', 'utf8');
const after = before.replace(
  marked,
  (_, open, report, heading, rows, close) =>
    `${open}\n${tableOf(report, heading, rows)}\n\n${close}`,
);
if (process.argv.includes('--check')) {
  if (before !== after)
    console.error(
      'The README differs from the reports in docs/: node scripts/results.mjs writes it anew.',
    );
  process.exit(before === after ? 0 : 1);
}
writeFileSync('README.md', after);

function tableOf(report, heading, rows) {
  const section = readFileSync(report, 'utf8')
    .split(/^## /m)
    .find((text) => text.startsWith(`${heading}\n`));
  if (!section) throw new Error(`${report} has no section “${heading}”.`);
  // The first table that holds a row is the one from which it comes.
  const tables = section.match(/(^\|.*\n)+/gm).map((text) => text.trimEnd().split('\n').map(cells));
  const wanted = rows.split('; ');
  const table = tables.find(([, , ...lines]) =>
    lines.some(([first]) => first.startsWith(wanted[0])),
  );
  if (!table) throw new Error(`“${heading}” in ${report} has no row “${wanted[0]}”.`);
  const [head, rule, ...lines] = table;
  const taken = wanted.map((start) => {
    const line = lines.find(([first]) => first.startsWith(start));
    if (!line) throw new Error(`“${heading}” in ${report} has no row “${start}”.`);
    return line;
  });
  return [head, rule.map((text) => (text.endsWith(':') ? '--:' : '---')), ...taken]
    .map((line) => `| ${line.join(' | ')} |`)
    .join('\n');
}

function cells(line) {
  return line
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((text) => text.trim());
}
