/** What stopping saves on the traffic of callers, and how little the scale of a request matters. */
import { amplitudes, type Amplitude } from '../../../src/data/amplitudes.ts';
import { Random } from '../../../src/data/random.ts';
import { SignalSampler, type Matrix } from '../../../src/data/sparse-recovery.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import {
  calibrationReport,
  type CalibrationReport,
} from '../../../src/evaluation/calibration-table.ts';
import type { AdaptivityGain, Ratio } from '../../../src/evaluation/gain.ts';
import { startEngine } from '../../../src/evaluation/measure.ts';
import { nmse } from '../../../src/evaluation/metrics.ts';
import { traceTraffic, type TracedKind } from '../../../src/evaluation/trace-traffic.ts';
import type { Part as Split } from '../../../src/evaluation/traffic.ts';
import { matrixOf } from '../../../src/tasks/sparse-recovery/matrix-file.ts';
import { recoveryMix, recoveryTraffic } from '../../../src/tasks/sparse-recovery/traffic.ts';
import { requireModel } from '../models.ts';
import { decibels } from '../numbers.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { BEST, SEED } from './setting.ts';

export const gain: Part = {
  name: 'gain',
  about: 'Time saved by stopping with a certificate, alone and 64 together; requests of any scale.',
  run,
};

/** Requests to certify on; half as many to choose rules and to test them. */
const COUNT = 3000;
/** Requests to time at every exit, each so often: what an exit takes does not depend on the request. */
const TIMED = 192;
const REPEATS = 5;
const SCALES = [1e-6, 1e-3, 1e3, 1e6];
const SIGNALS = 200;

async function run({ modelsDir, quick, onProgress }: ReproduceOptions): Promise<Section[]> {
  const engine = await startEngine(modelsDir, [BEST]);
  try {
    const manifest = requireModel(engine, BEST, modelsDir);
    const matrix = await matrixOf(manifest, modelsDir);
    const sections: Section[] = [];
    const count = quick ? 20 : COUNT;
    const of = (part: Split) => recoveryTraffic(matrix, part, SEED, { scale: 1 });
    const traced = (part: Split, n: number): Promise<TracedKind[]> => {
      onProgress(part, 0.1);
      return traceTraffic(engine, manifest, of(part), n, nmse, { repeats: 1, together: 64 });
    };
    const parts = {
      selection: await traced('selection', count / 2),
      certification: await traced('certification', count),
      test: await traced('test', count / 2),
    };
    for (const together of [1, 64]) {
      onProgress(`time, ${together} together`, 0.7);
      const timed = await traceTraffic(engine, manifest, of('test'), quick ? 4 : TIMED, nmse, { repeats: quick ? 1 : REPEATS, together }); // prettier-ignore
      const ms = manifest.exits.map((_, exit) => average(timed.map((request) => request.ms[exit]!))); // prettier-ignore
      const at = (part: readonly TracedKind[]): TracedKind[] => part.map((one) => ({ ...one, ms }));
      const report = calibrationReport(
        { selection: at(parts.selection), certification: at(parts.certification), test: at(parts.test) }, // prettier-ignore
        nmse,
        manifest,
        'the traffic',
      );
      sections.push(gainSection(report.gain, together, count));
      if (together === 1) sections.push(classSection(report));
    }
    onProgress('scales', 0.95);
    return [...sections, await scales(engine, matrix, quick ? 4 : SIGNALS)];
  } finally {
    await engine.close();
  }
}

const average = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

function classSection({ calibration, kinds, exits }: CalibrationReport): Section {
  return {
    heading: 'Laws of amplitudes and exits, default tolerance',
    text: `Safe share at ${calibration.default} dB, mean NMSE in dB, mean layers and ms, on test.`,
    tables: [kinds, exits].map((rows, i) => ({
      columns: [i === 0 ? 'law' : 'every request at depth', 'requests', 'safe', 'mean, dB', 'layers', 'ms'], // prettier-ignore
      rows: rows.map(({ of, n, share, quality, mean_depth, ms }) => [of, n, percent(share), decibels(quality), mean_depth.toFixed(2), ms.toFixed(3)]), // prettier-ignore
    })),
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const ratio = (value: Ratio | null): string =>
  value
    ? `${value.value.toFixed(2)} (${value.low.toFixed(2)}–${value.high.toFixed(2)})`
    : 'none is safe';

function gainSection(rows: readonly AdaptivityGain[], together: number, count: number): Section {
  return {
    heading: `Adaptivity gain, ${together === 1 ? 'one request alone' : `${together} requests together`}`,
    text:
      `${count} requests to certify on, half as many to choose rules and to test (seed ${SEED}). The time of an exit is that of ${TIMED} requests, medians of ${REPEATS} runs. ` +
      'Reference: the cheapest fixed depth with the same certificate. Oracle: every request at its cheapest exit within the tolerance.',
    tables: [
      {
        columns: ['tolerance, dB', 'reference', 'ms', 'policy', 'safe', 'bound', 'mean layers', 'ms', 'gain', 'oracle gain', 'share of its saving'], // prettier-ignore
        rows: rows.map(({ tolerance, reference, bestShare, policy, gain, oracle, oracleGain }) => [
          tolerance,
          reference?.rule.name ?? `none is safe, at best ${percent(bestShare!)}`,
          reference?.figures.ms.toFixed(3),
          policy?.rule.name ?? 'none is safe',
          policy && percent(policy.figures.share),
          policy && percent(policy.bound),
          policy?.figures.meanDepth.toFixed(2),
          policy?.figures.ms.toFixed(3),
          ratio(gain),
          ratio(oracleGain),
          reference && policy
            ? percent((reference.figures.ms - policy.figures.ms) / (reference.figures.ms - oracle.ms)) // prettier-ignore
            : undefined,
        ].map((cell) => cell ?? undefined)), // prettier-ignore
      },
    ],
  };
}

/** The same signals at every scale: how far the NMSE is from that at scale one. */
async function scales(engine: Engine, matrix: Matrix, count: number): Promise<Section> {
  const laws = Object.keys(amplitudes) as Amplitude[];
  const rows: string[][] = [];
  for (const law of laws) {
    const usual = await mean(engine, matrix, law, 1, count);
    const cells: string[] = [];
    for (const scale of SCALES)
      cells.push((await mean(engine, matrix, law, scale, count) - usual).toFixed(4)); // prettier-ignore
    rows.push([law, decibels(usual), ...cells]);
  }
  return {
    heading: 'Requests of any scale',
    text: `Mean NMSE in dB of ${count} requests at scale one with the default rule, and how much it changes at other scales.`,
    tables: [
      {
        columns: ['amplitudes', 'scale 1', ...SCALES.map((scale) => scale.toExponential(0))],
        rows,
      },
    ],
  };
}

async function mean(
  engine: Engine,
  { rows, columns, data }: Matrix,
  values: Amplitude,
  scale: number,
  count: number,
): Promise<number> {
  const sampler = new SignalSampler({ rows, columns, data }, new Random(SEED), count, {
    ...recoveryMix,
    values,
    scale,
  });
  const { measurements, signals } = sampler.next();
  const samples = Array.from({ length: count }, (_, i) => ({
    measurements: { data: measurements.slice(i * rows, (i + 1) * rows), dims: [rows] },
  }));
  const result = await engine.run(BEST, samples, {});
  const sum = result.samples.reduce((total, { outputs }, i) => {
    const truth = signals.subarray(i * columns, (i + 1) * columns);
    return total + nmse.total([nmse.sample(outputs.signal!.data, truth)]);
  }, 0);
  return sum / count;
}
