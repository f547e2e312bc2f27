/** Comparison of stop rules: policy, confidence, entropy, patience and a fixed depth. */
import { cheapestThreshold } from '../../../src/evaluation/calibrate.ts';
import { accuracy } from '../../../src/evaluation/metrics.ts';
import { exitAt, qualityAt, type Judged } from '../../../src/evaluation/trace.ts';
import { curves } from '../../plots/curves.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { flopsUpTo } from './cost.ts';
import { traceImages, recognitionModels, type Setting } from './setting.ts';
import {
  certainty,
  confidence,
  stopProbability,
  patience,
  toJudged,
  type Signal,
} from './signals.ts';

export const rules: Part = {
  name: 'rules',
  about: 'Accuracy over compute and time, by stop rule.',
  run,
};

interface Rule {
  readonly name: string;
  readonly signal: Signal;
  readonly policy?: boolean;
}

const all: readonly Rule[] = [
  { name: 'policy', signal: stopProbability, policy: true },
  { name: 'confidence', signal: confidence },
  { name: 'entropy', signal: certainty },
  { name: 'patience', signal: patience },
];

/** Accuracy that a rule may lose against the last exit, percentage points. */
const TOLERANCE = 0.2;
const THRESHOLDS = [
  ...Array.from({ length: 19 }, (_, i) => 0.05 * (i + 1)),
  0.97,
  0.98,
  0.99,
  0.995,
];

async function run(options: ReproduceOptions): Promise<Section[]> {
  const [model] = await recognitionModels(options.modelsDir);
  const setting = await traceImages(options, model);
  return [atLastExit(setting), await overall(setting)];
}

/** Cost of stopping at each exit: FLOPs, and ms. */
interface Costs {
  readonly flops: readonly number[];
  readonly ms: readonly number[];
}

const costsOf = ({ manifest, ms }: Setting, policy = false): Costs => ({
  flops: manifest.exits.map((_, i) => flopsUpTo(manifest, i, policy)),
  ms,
});

const mean = (
  judged: readonly Judged[],
  costs: readonly number[],
  pick: (one: Judged) => number,
): number => judged.reduce((sum, one) => sum + costs[pick(one)]!, 0) / judged.length;

/** Thresholds are chosen on every second image, the figures are from the others. */
function atLastExit(setting: Setting): Section {
  const { manifest, traces } = setting;
  const last = manifest.exits.length - 1;
  const tuning = traces.filter((_, i) => i % 2 === 0);
  const test = traces.filter((_, i) => i % 2 === 1);
  const plain = costsOf(setting);
  const row = (
    name: string,
    tau: string,
    judged: readonly Judged[],
    costs: Costs,
    pick: (one: Judged) => number,
  ) => [
    name,
    tau,
    qualityAt(judged, accuracy, pick).toFixed(2),
    mean(judged, manifest.exits, pick).toFixed(2),
    `${((100 * mean(judged, costs.flops, pick)) / plain.flops[last]!).toFixed(0)} %`,
    `${((100 * mean(judged, costs.ms, pick)) / plain.ms[last]!).toFixed(0)} %`,
  ];
  const judged = toJudged(test, stopProbability);
  return {
    heading: 'At the accuracy of the last exit',
    text: `Each threshold is the cheapest that loses at most ${TOLERANCE} points on every second image; the figures are from the ${test.length} others. FLOPs and time are shares of all layers. Time is for one image per request and includes the policy of every layer.`,
    tables: [
      {
        columns: ['rule', 'threshold', 'accuracy, %', 'mean depth', 'FLOPs', 'time'],
        rows: [
          ...all.map(({ name, signal, policy }) => {
            const costs = costsOf(setting, policy);
            const tau = cheapestThreshold(
              [toJudged(tuning, signal)],
              costs.flops,
              accuracy,
              TOLERANCE,
            );
            return row(name, tau.toFixed(3), toJudged(test, signal), costs, (one) =>
              exitAt(one, tau),
            );
          }),
          ...manifest.exits.map((exit, i) =>
            row(`every image at depth ${exit}`, '–', judged, plain, () => i),
          ),
        ],
      },
    ],
  };
}

async function overall(setting: Setting): Promise<Section> {
  const { manifest, traces } = setting;
  const last = manifest.exits.length - 1;
  const plain = costsOf(setting);
  const lines = (cost: keyof Costs) => [
    ...all.map(({ name, signal, policy }) => {
      const judged = toJudged(traces, signal);
      const costs = costsOf(setting, policy)[cost];
      return {
        name,
        points: THRESHOLDS.map((tau) =>
          pointAt(judged, costs, plain[cost][last]!, (one) => exitAt(one, tau)),
        ),
      };
    }),
    {
      name: 'every image at one depth',
      points: manifest.exits.map((exit, i) => ({
        ...pointAt(toJudged(traces, stopProbability), plain[cost], plain[cost][last]!, () => i),
        label: String(exit),
      })),
    },
  ];
  const plot = async (cost: keyof Costs, file: string, title: string, x: string) => ({
    file,
    caption: title,
    content: await curves({
      title,
      x: { title: x },
      y: { title: 'accuracy, %' },
      curves: lines(cost),
    }),
  });
  return {
    heading: 'By threshold',
    text: `All ${traces.length} images, each rule at thresholds from ${THRESHOLDS[0]} to ${THRESHOLDS.at(-1)}.`,
    figures: [
      await plot(
        'flops',
        'accuracy-over-flops.svg',
        'Accuracy over compute',
        'mean FLOPs, share of all layers',
      ),
      await plot(
        'ms',
        'accuracy-over-time.svg',
        'Accuracy over time',
        'mean time, share of all layers',
      ),
    ],
  };
}

const pointAt = (
  judged: readonly Judged[],
  costs: readonly number[],
  whole: number,
  pick: (one: Judged) => number,
) => ({
  x: mean(judged, costs, pick) / whole,
  y: qualityAt(judged, accuracy, pick),
});
