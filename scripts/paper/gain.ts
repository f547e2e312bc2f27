/** What stopping saves on the traffic of callers, with a certificate: the table and the curve of every task. */
import type { Manifest } from '../../src/bundle/manifest.ts';
import {
  calibrationReport,
  type CalibrationReport,
  type RuleFigures,
  type TracedParts,
} from '../../src/evaluation/calibration-table.ts';
import type { AdaptivityGain, Measured, Ratio } from '../../src/evaluation/gain.ts';
import { startEngine } from '../../src/evaluation/measure.ts';
import type { Metric } from '../../src/evaluation/metrics.ts';
import type { TracedRequest } from '../../src/evaluation/regret.ts';
import { exitOf, thresholdRule } from '../../src/evaluation/rules.ts';
import { traceTraffic, type TracedKind } from '../../src/evaluation/trace-traffic.ts';
import type { CalibrationTraffic, Traffic } from '../../src/evaluation/traffic.ts';
import { median } from '../../src/util/median.ts';
import { curves } from '../plots/curves.ts';
import { requireModel } from './models.ts';
import type { Part, ReproduceOptions, Section } from './report.ts';

/** Seed of the traffic; calibration uses another. */
const SEED = 31_337;

/** Requests of one size that run together for their quality, and those that are timed alone, each so often. */
const TOGETHER = 64;
const TIMED = 192;
const REPEATS = 5;

/** What differs between tasks. */
export interface GainPart {
  /** Of the part; `gain` where absent. */
  readonly name?: string;
  readonly needs?: Part['needs'];
  /** The bundle, where `--model` names none. */
  readonly model: string | ((modelsDir: string) => Promise<string>);
  readonly metric: Metric;
  /** Whether requests are all of one size, so that an exit takes each the same time: that of some of them, alone. */
  readonly oneSize?: true;
  readonly traffic: (
    manifest: Manifest,
    options: ReproduceOptions,
    seed: number,
  ) => Promise<CalibrationTraffic>;
}

/** A part that certifies rules on the task's traffic and says what the policy saves, on its test part. */
export const gainPart = ({
  name = 'gain',
  needs,
  model,
  metric,
  oneSize,
  traffic,
}: GainPart): Part => ({
  name,
  about: 'Time saved by stopping with a certificate, on the traffic of callers.',
  ...(needs && { needs }),
  async run(options) {
    const { modelsDir, quick, count: asked, onProgress } = options;
    const usual = typeof model === 'string' ? model : await model(modelsDir);
    const bundle = options.model ?? usual;
    const engine = await startEngine(modelsDir, [bundle]);
    try {
      const manifest = requireModel(engine, bundle, modelsDir);
      const drawn = await traffic(manifest, options, SEED);
      const count = quick ? 20 : Math.min(asked ?? drawn.count, drawn.most ?? Infinity);
      const half = Math.ceil(count / 2);
      const total = count + 2 * half;
      let done = 0;
      const traced = (part: Traffic, n: number, again = oneSize ? 1 : drawn.repeats) =>
        traceTraffic(engine, manifest, part, n, metric, {
          repeats: quick ? 1 : again,
          together: oneSize && again === 1 ? TOGETHER : 1,
          onRequest: () => onProgress(part.part, Math.min(1, ++done / total)),
          ...(drawn.untouched && { untouched: drawn.untouched }),
          ...(drawn.statistic && { statistic: drawn.statistic }),
        });
      const selection = await traced(drawn.selection, half);
      const certification = await traced(drawn.certification, count);
      const test = drawn.test && (await traced(drawn.test, half));
      const alone = oneSize && (await traced(drawn.selection, quick ? 4 : TIMED, REPEATS));
      const ms = alone && manifest.exits.map((_, i) => median(alone.map((one) => one.ms[i]!)));
      const timed = (part: TracedKind[]) => (ms ? part.map((one) => ({ ...one, ms })) : part);
      const parts: TracedParts = {
        selection: timed(selection),
        certification: timed(certification),
        ...(test && { test: timed(test) }),
      };
      const text = `${bundle}, ${drawn.name}, seed ${SEED}: ${count} requests to certify on, half as many to choose rules and to test.${ms ? ` The time of an exit is that of ${alone.length} requests, medians of ${REPEATS} runs.` : ''}`;
      return await gainSections(parts, { metric, manifest, text, name });
    } finally {
      await engine.close();
    }
  },
});

/** The gain, the classes and the exits, and the curve of the policy over the fixed depths. */
async function gainSections(
  parts: TracedParts,
  { metric, manifest, text, name }: { metric: Metric; manifest: Manifest; text: string; name: string }, // prettier-ignore
): Promise<Section[]> {
  const report = calibrationReport(parts, metric, manifest, text);
  const measuredOn = parts.test ?? parts.certification;
  const of = name === 'gain' ? '' : ` of ${manifest.name}`;
  return [
    {
      ...gainSection(report.gain, metric, manifest, { heading: `Adaptivity gain${of}`, text }),
      figures: [await curveOf(measuredOn, metric, manifest, `${name}.svg`)],
    },
    classSection(report, metric, of),
  ];
}

/** One row for each tolerance. */
export function gainSection(
  rows: readonly AdaptivityGain[],
  { unit }: Metric,
  { exits }: Pick<Manifest, 'exits'>,
  { heading, text }: Pick<Section, 'heading'> & { readonly text: string },
): Section {
  const safe = shareFormat(unit);
  const nameOf = ({ rule }: Measured): string =>
    rule.kind === 'fixed' ? `depth ${exits[rule.exit]}` : rule.name;
  const ms = (measured: Measured | null): string | undefined => measured?.figures.ms.toFixed(3);
  return {
    heading,
    text:
      `${text} Reference: the cheapest fixed depth with the same certificate. Lookup: the exit that is looked up from what is known before the first layer. ` +
      'Oracle: every request at its cheapest exit within the tolerance.' +
      (unit === 'dB' ? '' : ' Safe: points above the best single exit.'),
    tables: [
      {
        columns: [`tolerance, ${unit}`, 'reference', 'reference, ms', 'policy', 'safe', 'bound', 'mean layers', 'policy, ms', 'gain', 'lookup, ms', 'oracle, ms', 'oracle gain', 'share of its saving'], // prettier-ignore
        rows: rows.map((row) => {
          const { reference, policy, lookup, oracle } = row;
          const saving = reference && reference.figures.ms - oracle.ms;
          return [
            row.tolerance,
            reference ? nameOf(reference) : `none is safe, at best ${safe(row.bestShare!)}`,
            ms(reference),
            policy ? nameOf(policy) : 'none is safe',
            policy ? safe(policy.figures.share) : undefined,
            policy ? safe(policy.bound) : undefined,
            policy?.figures.meanDepth.toFixed(2),
            ms(policy),
            ratio(row.gain),
            ms(lookup),
            oracle.ms.toFixed(3),
            ratio(row.oracleGain),
            saving && policy
              ? percent((reference.figures.ms - policy.figures.ms) / saving)
              : undefined,
          ];
        }),
      },
    ],
  };
}

/** Each class of the mix under the default tolerance, and every request at each exit. */
export function classSection(
  { calibration, kinds, exits, prunable, part }: CalibrationReport,
  { unit }: Metric,
  of = '',
): Section {
  const safe = shareFormat(unit);
  const row = ({ of, n, share, quality, harm, mean_depth, ms }: RuleFigures) => [
    of,
    n,
    safe(share),
    quality.toFixed(2),
    ...(harm === undefined ? [] : [percent(harm)]),
    mean_depth.toFixed(2),
    ms.toFixed(3),
  ];
  const columns = (first: string, rows: readonly RuleFigures[]): string[] => {
    const harm = rows[0]!.harm === undefined ? [] : ['harmed'];
    return [first, 'requests', unit === 'dB' ? 'safe' : 'above the best exit', unit === 'dB' ? 'mean, dB' : 'accuracy, %', ...harm, 'layers', 'ms']; // prettier-ignore
  };
  return {
    heading: `Classes of the mix and exits, default tolerance${of}`,
    text:
      `Tolerance ${calibration.default} (${unit}), on ${part}. ` +
      (prunable.length > 0
        ? `Exits that calibration would prune: ${prunable.join(', ')}.`
        : 'Calibration would prune no exit.'),
    tables: [
      { columns: columns('class', kinds), rows: kinds.map(row) },
      { columns: columns('every request at depth', exits), rows: exits.map(row) },
    ],
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const shareFormat = (unit: string) =>
  unit === 'dB' ? percent : (points: number): string => points.toFixed(2);
const ratio = (value: Ratio | null): string =>
  value
    ? `${value.value.toFixed(2)} (${value.low.toFixed(2)}–${value.high.toFixed(2)})`
    : 'none is safe';

/** How many thresholds the curve has, at the quantiles of π. */
const THRESHOLDS = 24;

/** Mean quality over mean time: the policy at many thresholds, every request at one depth, and each at its best exit. */
export async function curveOf(
  requests: readonly TracedRequest[],
  metric: Metric,
  { exits, name }: Manifest,
  file: string,
) {
  const mean = (
    of: (request: TracedRequest, exit: number) => number,
    pick: (request: TracedRequest) => number,
  ) => requests.reduce((sum, request) => sum + of(request, pick(request)), 0) / requests.length;
  const point = (pick: (request: TracedRequest) => number) => ({
    x: mean(({ ms }, exit) => ms[exit]!, pick),
    y: mean(({ quality }, exit) => quality[exit]!, pick),
  });
  const best = ({ quality }: TracedRequest): number =>
    quality.reduce((at, value, exit) => (metric.loss(quality[at]!, value) < 0 ? exit : at), 0);
  const pi = Float64Array.from(requests.flatMap((request) => request.pi)).sort();
  const policy = Array.from({ length: THRESHOLDS }, (_, k) => {
    const rule = thresholdRule(pi[Math.floor((k * pi.length) / THRESHOLDS)]!);
    return point((request) => exitOf(rule, request));
  });
  return {
    file,
    caption: 'Quality over time: the policy and the fixed depths',
    content: await curves({
      title: name,
      x: { title: 'mean time of a request, ms' },
      y: {
        title: metric.unit === 'dB' ? 'mean quality, dB' : 'accuracy, %',
        reverse: metric.loss(0, 1) > 0,
      },
      curves: [
        {
          name: 'every request at one depth',
          points: exits.map((depth, exit) => ({ ...point(() => exit), label: String(depth) })),
        },
        { name: 'policy, by threshold', points: policy.sort((a, b) => a.x - b.x) },
        { name: 'best exit of each (oracle)', points: [point(best)], line: false },
      ],
    }),
  };
}
