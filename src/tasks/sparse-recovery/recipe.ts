/** How sparse recovery is trained and measured: on drawn or given signals, through a given matrix or the published one. */
import { basename, join, parse } from 'node:path';
import { Random } from '../../data/random.ts';
import { heldOutOf } from '../../data/held-out.ts';
import { readMatrix, readSignals } from '../../data/signal-files.ts';
import {
  measurementMatrix,
  pickSignals,
  scalesOf,
  SignalSampler,
  type Matrix,
  type Signals,
} from '../../data/sparse-recovery.ts';
import type { TestData } from '../../evaluation/data.ts';
import { nmse } from '../../evaluation/metrics.ts';
import { tensor } from '../../runtime/session.ts';
import type { ConfigFile } from '../../training/config.ts';
import { perSample } from '../../training/export.ts';
import { toForm, toNumber, toNumbers, type FlagsOf, type FlagTable } from '../../training/flags.ts';
import { readWeights } from '../../training/from-bundle.ts';
import { toBundleName, type Recipe, type TrainingPlan } from '../../training/recipe.ts';
import type { Batches } from '../../training/stages.ts';
import { calibrateFlags, recoveryCalibration } from './calibration.ts';
import { published, recoveryDefaults, recoverySchema, type RecoveryConfig } from './config.ts';
import { matrixFiles, matrixOf } from './matrix-file.ts';
import { recoveryFamily, recoveryStages } from './stages.ts';
import { freshSignals, ownSignals } from './test-data.ts';

/** Seed of the matrix of the published experiment, where no other matrix is given. */
const MATRIX_SEED = 2020;
/** Signals of each condition that `evaluate` draws where no number is given. */
const EVALUATED = 1000;

/** NMSE, dB, above which a model recovers next to nothing: half of the energy is missing. */
const USELESS = -3;

const trainFlags = {
  matrix: {
    type: 'string',
    value: 'A.npy',
    help: 'the measurement matrix (m, n); that of the published experiment where absent',
  },
  data: {
    type: 'string',
    value: 'S.npy',
    help: 'signals (count, n) to learn from; random ones where absent',
  },
  validate: {
    type: 'string',
    value: 'S.npy',
    help: 'signals to measure on; a tenth of --data where absent',
  },
  form: { type: 'string', value: 'FORM', help: 'vamp (the default), coupled or published' },
} as const satisfies FlagTable;

const evaluateFlags = {
  data: {
    type: 'string',
    value: 'S.npy',
    help: 'signals (count, n); random ones where absent',
  },
  snr: {
    type: 'string',
    value: 'LIST',
    default: '20,30,40',
    help: 'signal-to-noise ratios, dB',
  },
  sparsity: {
    type: 'string',
    value: 'X',
    default: '0.1',
    help: 'share of entries of random signals that are not zero',
  },
  count: {
    type: 'string',
    value: 'N',
    default: String(EVALUATED),
    help: 'signals of each condition',
  },
} as const satisfies FlagTable;

/** What a recovery model is trained on: a measurement matrix [m,n] and, optionally, signals. */
export interface RecoveryData {
  readonly matrix: Matrix;
  /** Signals to learn from; random ones where absent. */
  readonly signals?: Signals;
}

/** Recipe of sparse recovery: trained on simulated measurements, measured by NMSE (dB). */
export const sparseRecovery: Recipe<RecoveryConfig, RecoveryData> = {
  task: 'sparse-recovery',
  schema: recoverySchema,
  defaults: recoveryDefaults.vamp,
  flopsUnit: perSample,
  metric: nmse,
  calibrationLoss: 0.09,
  trainFlags,
  evaluateFlags,
  calibrateFlags,
  plan,
  setUp: (config, { matrix, signals }, random) =>
    recoveryStages(
      config,
      matrix,
      measurements(config, matrix, random, signals),
      signals && scalesOf(signals),
    ),
  describe: ({ matrix, signals }) =>
    signals ? `${signals.count} signals` : `drawn for a matrix of ${matrix.rows}×${matrix.columns}`,
  async family(config, manifest, modelsDir) {
    const scales = (await readWeights(join(modelsDir, manifest.name))).get('scales');
    return recoveryFamily(config, await matrixOf(manifest, modelsDir), scales);
  },
  async testData(
    { data, snr, sparsity, count }: FlagsOf<typeof evaluateFlags>,
    manifest,
    modelsDir,
  ): Promise<TestData> {
    const matrix = await matrixOf(manifest, modelsDir);
    const snrs = toNumbers('--snr', snr);
    const each = toNumber('--count', count);
    if (data !== undefined)
      return ownSignals(matrix, await readSignals(data, matrix), basename(data), snrs, each);
    return freshSignals(matrix, { sparsity: toNumber('--sparsity', sparsity), snr: snrs }, each);
  },
  traffic: recoveryCalibration,
  failure(measured) {
    const best = Math.min(...measured.map((row) => row.full_depth_quality));
    if (best < USELESS) return undefined;
    return `at best it leaves an NMSE of ${best} dB, and zeros have 0 dB. Train it longer, or measure more: the matrix may have too few rows, or columns that cannot be told apart.`;
  },
  areRivals: () => true,
};

async function plan(
  flags: FlagsOf<typeof trainFlags>,
  file: ConfigFile,
): Promise<TrainingPlan<RecoveryConfig, RecoveryData>> {
  const form = toForm(flags.form, recoveryDefaults, 'vamp');
  const config = file.over(recoverySchema, recoveryDefaults[form]);
  const matrix =
    flags.matrix === undefined
      ? measurementMatrix(250, 500, new Random(MATRIX_SEED))
      : await readMatrix(flags.matrix);
  const own = flags.data === undefined ? undefined : await split(flags, flags.data, matrix, config);
  return {
    config,
    data: { matrix, ...(own && { signals: own.training }) },
    name:
      flags.matrix === undefined
        ? 'sparse-recovery'
        : toBundleName(`sparse-recovery-${parse(flags.matrix).name}`),
    description: `Recovers sparse signals of ${matrix.columns} numbers from ${matrix.rows} measurements.`,
    baseline: form === 'published',
    taskFiles: matrixFiles(matrix),
    test: own?.test ?? freshSignals(matrix, measuredOn(config)),
  };
}

/** What a trained model is measured on: the lists that it was trained on, and for intervals the published conditions. */
const measuredOn = ({ sparsity, snr }: RecoveryConfig): typeof published => ({
  sparsity: typeof sparsity === 'number' ? sparsity : published.sparsity,
  snr: Array.isArray(snr) ? snr : published.snr,
});

/** The signals to learn from, and those to measure on: another file's, or every tenth of the same. */
async function split(
  { validate }: Pick<FlagsOf<typeof trainFlags>, 'validate'>,
  file: string,
  matrix: Matrix,
  config: RecoveryConfig,
): Promise<{ training: Signals; test: TestData }> {
  const { snr } = measuredOn(config);
  const signals = await readSignals(file, matrix);
  if (validate !== undefined)
    return {
      training: signals,
      test: ownSignals(matrix, await readSignals(validate, matrix), parse(validate).base, snr),
    };
  const held = heldOutOf(signals.count, 'signal');
  return {
    training: pickSignals(signals, (i) => !held(i)),
    test: ownSignals(matrix, pickSignals(signals, held), `held out of ${parse(file).base}`, snr),
  };
}

/** Batches of `measurements` [N,m] and `truth` [N,n], at scale one. */
function measurements(
  config: RecoveryConfig,
  matrix: Matrix,
  random: Random,
  signals: Signals | undefined,
): Batches {
  const { batch } = config;
  const scale = signals ? 1 / rootMeanSquare(signals) : 1;
  const sampler = new SignalSampler(matrix, random, batch, { ...config, signals, scale });
  return {
    next() {
      const drawn = sampler.next();
      return {
        measurements: tensor(drawn.measurements, [batch, matrix.rows]),
        truth: tensor(drawn.signals, [batch, matrix.columns]),
      };
    },
  };
}

/** Given signals may be of any scale; the loss expects that of random ones. */
function rootMeanSquare({ data }: Signals): number {
  const squares = data.reduce((sum, value) => sum + value * value, 0);
  return squares > 0 ? Math.sqrt(squares / data.length) : 1;
}
