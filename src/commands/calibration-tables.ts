/** What `calibrate` prints for people. */
import type { CalibrationReport, RuleFigures } from '../evaluation/calibration-table.ts';
import type { AdaptivityGain, Measured, Ratio } from '../evaluation/gain.ts';
import type { Metric } from '../evaluation/metrics.ts';

/** The table for the manifest, the gain, the classes of the mix and the exits. */
export function calibrationTables(
  { calibration, gain, part, kinds, exits, prunable }: CalibrationReport,
  { unit }: Metric,
): string {
  const { rows, data } = calibration;
  const share = unit === 'dB' ? 'safe share' : 'points above the best exit';
  return [
    `Certified on ${data}:`,
    table(
      rows.map((row) => ({
        [`tolerance (${unit})`]: row.tolerance,
        rule: !row.guaranteed
          ? 'none is safe'
          : row.depth === undefined || row.depth === null
            ? `threshold ${row.threshold}`
            : `depth ${row.depth}`,
        share: round(row.share),
        bound: round(row.bound),
        n: row.n,
        'mean depth': round(row.mean_depth, 2),
        ms: round(row.ms),
      })),
    ),
    ...(gain.length > 0 ? ['Adaptivity gain on test:', table(gain.map(gainRow))] : []),
    `Default tolerance ${calibration.default} ${unit}, ${part}, by class of the mix:`,
    table(kinds.map((row) => figureRow('class', share, row))),
    `Every request at one depth, ${part}:`,
    table(exits.map((row) => figureRow('depth', share, row))),
    prunable.length > 0
      ? `Exits to prune (less than 2 % of the requests leave there, and no segment becomes longer than a quarter of the time): ${prunable.join(', ')}.`
      : 'No exit is to be pruned.',
  ].join('\n');
}

const gainRow = (row: AdaptivityGain): Row => ({
  tolerance: row.tolerance,
  reference: row.reference?.rule.name ?? `none is safe, best share ${round(row.bestShare!)}`,
  'reference ms': row.reference ? round(row.reference.figures.ms) : '–',
  policy: row.policy?.rule.name ?? 'none is safe',
  ...shares(row.policy),
  'oracle ms': round(row.oracle.ms),
  'oracle gain': ratio(row.oracleGain),
  'lookup ms': row.lookup ? round(row.lookup.figures.ms) : '–',
  'gain over lookup': ratio(row.overLookup),
  gain: ratio(row.gain),
});

const shares = (measured: Measured | null): Row => ({
  share: measured ? round(measured.figures.share) : '–',
  bound: measured ? round(measured.bound) : '–',
  'mean depth': measured ? round(measured.figures.meanDepth, 2) : '–',
  ms: measured ? round(measured.figures.ms) : '–',
});

const figureRow = (
  name: string,
  shareName: string,
  { of, n, share, quality, harm, mean_depth, ms }: RuleFigures,
): Row => ({
  [name]: of,
  n,
  [shareName]: round(share),
  quality: round(quality, 2),
  ...(harm !== undefined && { harm: round(harm) }),
  'mean depth': round(mean_depth, 2),
  ms: round(ms),
});

const ratio = (value: Ratio | null): string =>
  value ? `${round(value.value, 2)} (${round(value.low, 2)}–${round(value.high, 2)})` : '–';

const round = (value: number, places = 4): number => Number(value.toFixed(places));

type Row = Readonly<Record<string, string | number>>;

/** Columns wide enough for what is in them. */
function table(rows: readonly Row[]): string {
  const names = Object.keys(rows[0]!);
  const cells = [names, ...rows.map((row) => names.map((name) => String(row[name])))];
  const widths = names.map((_, k) => Math.max(...cells.map((line) => line[k]!.length)));
  return cells
    .map(
      (line) =>
        `  ${line
          .map((cell, k) => cell.padEnd(widths[k]!))
          .join('  ')
          .trimEnd()}`,
    )
    .join('\n')
    .concat('\n');
}
