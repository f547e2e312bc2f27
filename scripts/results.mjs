// Fills the marked tables of README.md and docs/results.md; --check says whether they are up to date. Two markers:
//   <!-- table REPORT "HEADING": ROW; ROW -->   rows of a table that `npm run reproduce` wrote, by how their first cell begins;
//                                               "HEADING" [COLUMN; COLUMN]: these columns beside the first
//   <!-- measured MODEL "LABEL" KEY=VALUE …; MODEL … -->   what the manifests of models say of one condition each, and after
//                                               gain=REPORT@TOLERANCE what the report says stopping gains at that tolerance;
//                                               or in words, as gain=none_certified
import { readFileSync, writeFileSync } from 'node:fs';

const FILES = ['README.md', 'docs/results.md'];
const marked = /(<!-- (table|measured) ([^>]+) -->\n)[^]*?(<!-- end -->)/g;

const stale = FILES.filter((file) => {
  const before = readFileSync(file, 'utf8');
  const after = before.replace(marked, (_, open, kind, what, close) => {
    const rows = kind === 'table' ? rowsOfReport(what) : rowsOfManifests(what);
    return `${open}\n${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}\n\n${close}`;
  });
  if (before !== after && !process.argv.includes('--check')) writeFileSync(file, after);
  return before !== after;
});
if (process.argv.includes('--check') && stale.length > 0) {
  console.error(`${stale.join(', ')}: tables are out of date; run node scripts/results.mjs.`);
  process.exit(1);
}

/** @param what `docs/denoise/report.md "Gray images": BM3D; DnCNN, published` */
function rowsOfReport(what) {
  const [, report, heading, names, starts] = /^(\S+) "([^"]+)"(?: \[([^\]]+)\])?: (.+)$/.exec(what);
  const section = readFileSync(report, 'utf8')
    .split(/^## /m)
    .find((text) => text.startsWith(`${heading}\n`));
  if (!section) throw new Error(`${report} has no section “${heading}”.`);
  const tables = section.match(/(^\|.*\n)+/gm).map((text) => text.trimEnd().split('\n').map(cells));
  const wanted = starts.split('; ');
  // The first table that holds the first row is the one that is meant.
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
  const columns = names?.split('; ').map((name) => {
    const column = head.indexOf(name);
    if (column < 0) throw new Error(`“${heading}” in ${report} has no column “${name}”.`);
    return column;
  });
  const rows = [head, rule.map((text) => (text.endsWith(':') ? '--:' : '---')), ...taken];
  return columns ? rows.map((row) => [0, ...columns].map((column) => row[column])) : rows;
}

function cells(line) {
  return line
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((text) => text.trim());
}

/** @param what `denoise-gray "Gray images, σ 25" sigma=25; sparse-recovery "Signals" snr_db=mixed` */
function rowsOfManifests(what) {
  const head = ['model', 'test', 'all layers', 'with policy', 'mean depth', 'time', 'gain'];
  const rule = head.map((_, i) => (i < 2 ? '---' : '--:'));
  return [head, rule, ...what.split('; ').map(measured)];
}

function measured(what) {
  const [, model, label, keys] = /^(\S+) "([^"]+)" ?(.*)$/.exec(what);
  const pairs = keys === '' ? [] : keys.split(' ').map((pair) => pair.split('='));
  const condition = pairs.filter(([key]) => key !== 'gain');
  const gain = pairs.find(([key]) => key === 'gain')?.[1];
  const file = `models/${model}/manifest.json`;
  const row = JSON.parse(readFileSync(file, 'utf8')).measured.threshold.find((one) =>
    condition.every(([key, value]) => String(one.condition[key]) === value),
  );
  if (!row) throw new Error(`${file} has no measurement with ${keys}.`);
  const { metric, max_depth: depth, mean_depth: mean } = row;
  const figure = (value) =>
    metric === 'accuracy' ? `${value.toFixed(1)} %` : `${value.toFixed(2).replace('-', '−')} dB`;
  return [
    `\`${model}\``,
    label,
    figure(row.full_depth_quality),
    figure(row.quality),
    `${mean.toFixed(1)} of ${depth}`,
    `${Math.round((100 * row.ms_per_sample) / row.full_depth_ms_per_sample)} %`,
    gain ? gainOf(gain) : '–',
  ];
}

/** @param what `docs/sparse-recovery/report.md@0.2`: the first table of the adaptivity gain, the row of this tolerance */
function gainOf(what) {
  if (!what.includes('@')) return what.replaceAll('_', ' ');
  const [report, tolerance] = what.split('@');
  const section = readFileSync(report, 'utf8')
    .split(/^## /m)
    .find((text) => text.startsWith('Adaptivity gain'));
  const [head, , ...lines] = (section?.match(/^\|.*$/gm) ?? []).map(cells);
  const line = lines?.find(([first]) => first === tolerance);
  if (!line) throw new Error(`${report} has no adaptivity gain at ${tolerance}.`);
  const [first] = line[head.indexOf('gain')].split(' (');
  const unit = tolerance === '1' ? 'point' : head[0].split(', ')[1];
  return /^[\d.]+$/.test(first) ? `${first} at ${tolerance} ${unit}` : 'none certified';
}
