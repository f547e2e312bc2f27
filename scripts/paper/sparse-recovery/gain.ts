/** What stopping saves on the traffic of callers, and how little the scale of a request matters. */
import { amplitudes, type Amplitude } from '../../../src/data/amplitudes.ts';
import { Random } from '../../../src/data/random.ts';
import { SignalSampler, type Matrix } from '../../../src/data/sparse-recovery.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { calibrationReport } from '../../../src/evaluation/calibration-table.ts';
import { startEngine } from '../../../src/evaluation/measure.ts';
import { nmse } from '../../../src/evaluation/metrics.ts';
import { traceTraffic, type TracedKind } from '../../../src/evaluation/trace-traffic.ts';
import type { Part as Split } from '../../../src/evaluation/traffic.ts';
import { matrixOf } from '../../../src/tasks/sparse-recovery/matrix-file.ts';
import { recoveryMix, recoveryTraffic } from '../../../src/tasks/sparse-recovery/traffic.ts';
import { classSection, curveOf, gainSection } from '../gain.ts';
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
      const heading = `Adaptivity gain, ${together === 1 ? 'one request alone' : `${together} requests together`}`;
      const text = `${count} requests to certify on, half as many to choose rules and to test (seed ${SEED}). The time of an exit is that of ${TIMED} requests, medians of ${REPEATS} runs.`;
      const section = gainSection(report.gain, nmse, manifest, { heading, text });
      if (together === 1)
        sections.push(
          { ...section, figures: [await curveOf(at(parts.test), nmse, manifest, 'gain.svg')] },
          classSection(report, nmse),
        );
      else sections.push(section);
    }
    onProgress('scales', 0.95);
    return [...sections, await scales(engine, matrix, quick ? 4 : SIGNALS)];
  } finally {
    await engine.close();
  }
}

const average = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

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
