/** Signals and matrices other than those of the published experiment. */
import { Random } from '../../../src/data/random.ts';
import {
  measurementMatrix,
  type Matrix,
  type SignalOptions,
} from '../../../src/data/sparse-recovery.ts';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import { cheapestThreshold } from '../../../src/evaluation/calibrate.ts';
import type { Condition } from '../../../src/evaluation/data.ts';
import { startEngine } from '../../../src/evaluation/measure.ts';
import { matrixOf } from '../../../src/tasks/sparse-recovery/matrix-file.ts';
import { nmse } from '../../../src/evaluation/metrics.ts';
import { exitAt, type Traced } from '../../../src/evaluation/trace.ts';
import { recoveryDefaults } from '../../../src/tasks/sparse-recovery/config.ts';
import { requireModel } from '../models.ts';
import { withTrainedModels } from '../training-jobs.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { ista, iterate, vamp } from './baselines.ts';
import { recoveryJob } from './recovery-job.ts';
import {
  BEST,
  countFor,
  meanDepth,
  measurementsOf,
  qualities,
  qualitiesOf,
  SPARSITY,
  testSet,
  traceAll,
} from './setting.ts';
import { DEFAULT_THRESHOLD } from '../../../src/stopping/rules.ts';

export const robustness: Part = {
  name: 'robustness',
  about:
    'Other noise, sparsity and values than in training; other matrices, with a model trained for each.',
  run: async (options) => [await otherSignals(options), await otherMatrices(options)],
};

/** Iterations of VAMP; where it converges it needs far fewer. */
const VAMP_ITERATIONS = 20;

const signals: readonly (readonly [
  words: string,
  signal: Pick<SignalOptions, 'values'> & { snr: readonly number[]; sparsity?: number },
])[] = [
  ['10 % nonzero, normal, 30 dB', { snr: [30] }],
  ['15 dB', { snr: [15] }],
  ['25 dB', { snr: [25] }],
  ['35 dB', { snr: [35] }],
  ['50 dB', { snr: [50] }],
  ['5 % nonzero, 30 dB', { snr: [30], sparsity: 0.05 }],
  ['15 % nonzero, 30 dB', { snr: [30], sparsity: 0.15 }],
  ['Laplace, 30 dB', { snr: [30], values: 'laplace' }],
  ['±1, 30 dB', { snr: [30], values: 'sign' }],
  ['positive, 30 dB', { snr: [30], values: 'positive' }],
  ['Student t, 30 dB', { snr: [30], values: 'student' }],
];

async function otherSignals({ modelsDir, quick, onProgress }: ReproduceOptions): Promise<Section> {
  const engine = await startEngine(modelsDir, [BEST]);
  try {
    const manifest = requireModel(engine, BEST, modelsDir);
    const matrix = await matrixOf(manifest, modelsDir);
    const rows: string[][] = [];
    for (const [i, [words, signal]] of signals.entries()) {
      onProgress(words, (0.5 * i) / signals.length);
      const conditions = testSet(matrix, quick ? 10 : 500, signal);
      const traced = await traceAll(engine, manifest, conditions);
      const pick = (sample: Traced): number =>
        exitAt(sample, manifest.threshold ?? DEFAULT_THRESHOLD);
      rows.push([
        words,
        qualities(traced, pick)[0]!,
        meanDepth(traced, manifest.exits, pick).toFixed(2),
        qualities(traced, () => manifest.exits.length - 1)[0]!,
        ...(await runBaselines(matrix, conditions, signal.sparsity ?? SPARSITY)).map(
          ([quality]) => quality!,
        ),
      ]);
    }
    return {
      heading: 'Conditions one by one',
      text:
        'NMSE in dB, 500 signals per row, pooled; a tenth of the entries is nonzero, from N(0,1), unless a row says otherwise. One network, ' +
        'trained on the traffic of callers, for all rows; with the calibrated threshold. VAMP is given the true sparsity of each row and assumes normal values.',
      tables: [
        {
          columns: [
            'signals',
            'ours',
            'mean layers',
            `all ${manifest.depth} layers`,
            'VAMP',
            'FISTA',
          ],
          rows,
        },
      ],
    };
  } finally {
    await engine.close();
  }
}

/** Oracle VAMP, given the sparsity, and FISTA with 100 iterations: NMSE in dB, columns as in `qualitiesOf`. */
async function runBaselines(
  matrix: Matrix,
  conditions: readonly Condition[],
  sparsity: number,
): Promise<string[][]> {
  const measurements = measurementsOf(conditions);
  const count = conditions.reduce((sum, { cases }) => sum + cases.length, 0);
  const last = async (
    iteration: Parameters<typeof iterate>[0],
    iterations: number,
  ): Promise<string[]> =>
    qualitiesOf(conditions, (await iterate(iteration, measurements, count, iterations)).at(-1)!);
  return [
    await last(vamp(matrix, sparsity), VAMP_ITERATIONS),
    await last(ista(matrix, 0.1, true), 100),
  ];
}

const [ROWS, COLUMNS] = [128, 256];

/** Correlation of neighbouring columns. */
const CORRELATION = 0.7;

const matrices: readonly (readonly [
  words: string,
  name: string,
  make: (random: Random) => Matrix,
])[] = [
  ['condition number 5', 'condition-5', (random) => measurementMatrix(ROWS, COLUMNS, random, 5)],
  ['condition number 50', 'condition-50', (random) => measurementMatrix(ROWS, COLUMNS, random, 50)],
  [`neighbours correlated, ${CORRELATION}`, 'correlated', correlated],
];

/** Gaussian matrix with correlated neighbouring columns of unit norm. */
function correlated(random: Random): Matrix {
  const data = new Float32Array(ROWS * COLUMNS);
  for (let j = 0; j < COLUMNS; j++) {
    let power = 0;
    for (let i = 0; i < ROWS; i++) {
      const fresh = random.normal() / Math.sqrt(ROWS);
      const value =
        j === 0
          ? fresh
          : CORRELATION * data[i * COLUMNS + j - 1]! + Math.sqrt(1 - CORRELATION ** 2) * fresh;
      data[i * COLUMNS + j] = value;
      power += value * value;
    }
    for (let i = 0; i < ROWS; i++) data[i * COLUMNS + j]! /= Math.sqrt(power);
  }
  return { rows: ROWS, columns: COLUMNS, data };
}

async function otherMatrices({ quick, onProgress }: ReproduceOptions): Promise<Section> {
  const usual = recoveryDefaults.vamp;
  const config = {
    ...usual,
    batch: 64,
    stageOne: { ...usual.stageOne, steps: quick ? 3 : 600 },
    stageTwo: { ...usual.stageTwo, steps: quick ? 3 : 600 },
  };
  const cases = matrices.map(([words, name, make]) => ({
    words,
    name,
    matrix: make(new Random(7)),
  }));
  const jobs = cases.map(({ name, matrix }) => ({ name, matrix, config }));
  const rows = await withTrainedModels(
    jobs.map(recoveryJob),
    (what, share) => onProgress(what, 0.5 + 0.5 * share),
    async (engine) => {
      const all: string[][] = [];
      for (const { words, name, matrix } of cases) {
        const manifest: Manifest = engine.manifests.get(name)!;
        const conditions = testSet(matrix, countFor(quick) / 2);
        const traced = await traceAll(engine, manifest, conditions);
        const threshold = cheapestThreshold(traced, manifest.exits, nmse, 0.1);
        const pick = (sample: Traced): number => exitAt(sample, threshold);
        const [oracleVamp, fista] = await runBaselines(matrix, conditions, SPARSITY);
        all.push([
          words,
          qualities(traced, pick)[0]!,
          meanDepth(traced, manifest.exits, pick).toFixed(2),
          ...qualities(traced, () => manifest.exits.length - 1),
          oracleVamp![0]!,
          fista![0]!,
        ]);
      }
      return all;
    },
  );
  return {
    heading: `Other matrices, ${ROWS}×${COLUMNS}`,
    text:
      `A network for each matrix, trained for ${config.stageOne.steps} and ${config.stageTwo.steps} steps of ${config.batch} signals. NMSE in dB, SNR 20, 30 and ` +
      `40 dB mixed; VAMP is given the prior and runs ${VAMP_ITERATIONS} iterations, FISTA 100.`,
    tables: [
      {
        columns: [
          'matrix',
          'ours',
          'mean layers',
          `all ${config.depth} layers`,
          '20 dB',
          '30 dB',
          '40 dB',
          'VAMP',
          'FISTA',
        ],
        rows,
      },
    ],
  };
}
