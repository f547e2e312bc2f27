/** The published table with every row measured on one test set, and the layers needed for a given quality. */
import { startEngine } from '../../../src/evaluation/measure.ts';
import { matrixOf } from '../../../src/tasks/sparse-recovery/matrix-file.ts';
import { exitAt, type Traced } from '../../../src/evaluation/trace.ts';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import type { Matrix } from '../../../src/families/matrix.ts';
import { requireModel } from '../models.ts';
import { trainingTime } from '../training.ts';
import type { Part, ReproduceOptions, Section, Table } from '../report.ts';
import { ista, iterate, vamp, type Iteration } from './baselines.ts';
import {
  BEST,
  countFor,
  COUPLED,
  meanDepth,
  measurementsOf,
  qualities,
  qualitiesOf,
  SEED,
  SNRS,
  SPARSITY,
  testSet,
  traceAll,
} from './setting.ts';
import { DEFAULT_THRESHOLD } from '../../../src/stopping/rules.ts';

export const table: Part = {
  name: 'table',
  about: 'The published table beside ours; layers and iterations for equal quality.',
  run,
};

/** Bundles of LISTA and LISTA-stop as published. They are 30 MB each, so they are not committed. */
const PUBLISHED = { fixed: 'sparse-recovery-published-fixed', stop: 'sparse-recovery-published' };
/** Commands that train them, with the times of the figures in docs/: 15 and 82 minutes on two threads. */
const TRAIN_PUBLISHED = `\`\`\`
npm run train -- sparse-recovery --form published --config scripts/paper/sparse-recovery/lista.json --minutes 15 --name ${PUBLISHED.fixed}
npm run train -- sparse-recovery --form published --minutes 82 --name ${PUBLISHED.stop}
\`\`\``;
/** ρ of the published experiment; candidates for the best ρ; signals per noise level to select it on. */
const PENALTY = 0.1;
const PENALTIES = [0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3];
const TRIED_ON = 100;

/** Published NMSE in dB: mixed, 20, 30 and 40 dB SNR. */
const published: Readonly<Record<string, readonly string[]>> = {
  'ISTA, 20 iterations': ['−9.17', '−9.12', '−9.24', '−9.16'],
  'FISTA, 20 iterations': ['−11.12', '−10.98', '−11.19', '−11.19'],
  'ISTA, 100 iterations': ['−14.66', '−13.99', '−14.99', '−15.07'],
  'FISTA, 100 iterations': ['−18.96', '−16.75', '−20.46', '−20.97'],
  'LISTA, 20 layers': ['−17.53', '−16.53', '−18.07', '−18.20'],
  'LISTA-stop, at most 20': ['−22.41', '−20.29', '−23.90', '−24.21'],
};

type Row = readonly [name: string, layers: string, ...qualities: string[]];

async function run({ modelsDir, quick, onProgress }: ReproduceOptions): Promise<Section[]> {
  const engine = await startEngine(modelsDir, [BEST, COUPLED, ...Object.values(PUBLISHED)]);
  try {
    const best = requireModel(engine, BEST, modelsDir);
    const matrix = await matrixOf(best, modelsDir);
    const conditions = testSet(matrix, countFor(quick));
    const measurements = measurementsOf(conditions);
    const count = conditions.reduce((sum, { cases }) => sum + cases.length, 0);
    const runIteration = async (
      iteration: Iteration,
      most: number,
    ): Promise<(at: number) => string[]> => {
      const signals = await iterate(iteration, measurements, count, most);
      return (at) => qualitiesOf(conditions, signals[at - 1]!);
    };
    const rows: Row[] = [];
    for (const [name, momentum] of [
      ['ISTA', false],
      ['FISTA', true],
    ] as const) {
      // prettier-ignore
      onProgress(name, momentum ? 0.15 : 0);
      const at = await runIteration(ista(matrix, PENALTY, momentum), 100);
      for (const most of [20, 100]) {
        const penalty = await bestPenalty(matrix, momentum, most, quick);
        const best = await runIteration(ista(matrix, penalty, momentum), most);
        rows.push([`${name}, ${most} iterations`, String(most), ...at(most)]);
        rows.push([
          `${name}, ${most} iterations, its best ρ, ${penalty}`,
          String(most),
          ...best(most),
        ]);
      }
    }
    const traced = new Map<string, { manifest: Manifest; samples: Traced[][] }>();
    for (const [i, name] of [PUBLISHED.fixed, PUBLISHED.stop, COUPLED, BEST].entries()) {
      const manifest = engine.manifests.get(name);
      onProgress(name, 0.3 + 0.15 * i);
      if (!manifest) continue;
      const own = testSet(await matrixOf(manifest, modelsDir), countFor(quick));
      traced.set(name, { manifest, samples: await traceAll(engine, manifest, own) });
    }
    const model = (name: string, words: string, depth: number | 'policy'): Row => {
      const found = traced.get(name);
      if (!found) return [words, '–', '–', '–', '–', '–'];
      const { manifest, samples } = found;
      const pick =
        depth === 'policy'
          ? (sample: Traced) => exitAt(sample, manifest.threshold ?? DEFAULT_THRESHOLD)
          : () => manifest.exits.indexOf(depth);
      return [
        words,
        meanDepth(samples, manifest.exits, pick).toFixed(2),
        ...qualities(samples, pick),
      ];
    };
    onProgress('VAMP', 0.9);
    const oracleVamp = await runIteration(vamp(matrix, SPARSITY), 16);
    rows.push(
      model(PUBLISHED.fixed, 'LISTA, 20 layers', 20),
      model(PUBLISHED.stop, 'LISTA-stop, at most 20', 'policy'),
      model(COUPLED, 'coupled LISTA, all 16 layers', 16),
      model(COUPLED, 'coupled LISTA, with its policy', 'policy'),
      ...[8, 9, 12, 16].map((at): Row => [
        `oracle VAMP, ${at} iterations`,
        String(at),
        ...oracleVamp(at),
      ]),
      ...best.exits.map((at) => model(BEST, `ours, ${at} layers`, at)),
      model(BEST, 'ours, with its policy', 'policy'),
    );
    return [
      section(rows, count, engine.manifests),
      layersForQuality(traced.get(BEST)!, oracleVamp),
    ];
  } finally {
    await engine.close();
  }
}

/** The ρ with the least NMSE after so many iterations of ISTA or FISTA, noise levels mixed. */
async function bestPenalty(
  matrix: Matrix,
  momentum: boolean,
  iterations: number,
  quick: boolean,
): Promise<number> {
  const conditions = testSet(matrix, TRIED_ON);
  const measurements = measurementsOf(conditions);
  const found: { penalty: number; mixed: number }[] = [];
  for (const penalty of quick ? PENALTIES.slice(-2) : PENALTIES) {
    const signals = await iterate(
      ista(matrix, penalty, momentum),
      measurements,
      SNRS.length * TRIED_ON,
      iterations,
    );
    found.push({ penalty, mixed: Number(qualitiesOf(conditions, signals.at(-1)!)[0]) });
  }
  return found.reduce((best, one) => (one.mixed < best.mixed ? one : best)).penalty;
}

/** @param manifests of the models that were measured */
function section(
  rows: readonly Row[],
  count: number,
  manifests: ReadonlyMap<string, Manifest>,
): Section {
  const trainedIn = (words: string, name: string): string => {
    const manifest = manifests.get(name);
    return manifest ? ` ${words} trained for ${trainingTime(manifest)}.` : '';
  };
  const columns = [
    '',
    'layers',
    'mixed',
    '20 dB',
    '30 dB',
    '40 dB',
    'published: mixed',
    '20 dB',
    '30 dB',
    '40 dB',
  ];
  const limit: Row = [
    'Bayes-optimal limit (state evolution)',
    '',
    '−27.85',
    '−23.4',
    '−34.8',
    '−45.3',
  ];
  return {
    heading: 'The published table',
    text:
      `NMSE in dB over ${count} signals (seed ${SEED}); matrix 250×500 of condition number 5, a tenth of the entries from N(0,1). ` +
      `ISTA and FISTA take steps of 1/λ_max(AᵀA) with ρ = 0.1, and with the best ρ on ${TRIED_ON} of these signals at each ` +
      'noise level. Oracle VAMP is given the prior and estimates the noise level; ours is given neither. ' +
      'LISTA is trained with the usual loss on its last layer.' +
      trainedIn('LISTA', PUBLISHED.fixed) +
      trainedIn('The layers of LISTA-stop', PUBLISHED.stop) +
      (Object.values(PUBLISHED).every((name) => manifests.has(name))
        ? ''
        : ' **Some rows are empty** because their bundles are not in the folder of models.') +
      ` The bundles of LISTA and LISTA-stop are not committed (30 MB each). These commands train them:\n\n${TRAIN_PUBLISHED}`,
    tables: [
      {
        columns,
        rows: [...rows, limit].map((row) => [...row, ...(published[row[0]] ?? ['', '', '', ''])]),
      },
    ],
  };
}

/** Least layers of ours (fixed depth; policy) and iterations of VAMP that reach a given quality. */
function layersForQuality(
  { manifest: { exits }, samples }: { manifest: Manifest; samples: Traced[][] },
  oracleVamp: (at: number) => string[],
): Section {
  const value = (text: string): number => Number(text);
  const thresholds = Array.from({ length: 199 }, (_, i) => (i + 1) / 200);
  const policy = thresholds.map((tau) => {
    const pick = (sample: Traced): number => exitAt(sample, tau);
    return { depth: meanDepth(samples, exits, pick), mixed: value(qualities(samples, pick)[0]!) };
  });
  const least = (
    depths: readonly { depth: number; mixed: number }[],
    target: number,
  ): string | undefined => {
    const enough = depths.filter(({ mixed }) => mixed <= target).map(({ depth }) => depth);
    return enough.length === 0
      ? undefined
      : Math.min(...enough).toFixed(Number.isInteger(Math.min(...enough)) ? 0 : 2);
  };
  const fixed = exits.map((depth, i) => ({ depth, mixed: value(qualities(samples, () => i)[0]!) }));
  const iterations = Array.from({ length: 16 }, (_, i) => ({
    depth: i + 1,
    mixed: value(oracleVamp(i + 1)[0]!),
  }));
  const rows = [-20, -22.4, -25, -26, -27, -27.3, -27.4, -27.5].map((target) => [
    target,
    least(iterations, target),
    least(fixed, target),
    least(policy, target),
  ]);
  const result: Table = {
    columns: ['NMSE, dB, mixed', 'oracle VAMP', 'ours, one depth', 'ours, policy (mean)'],
    rows,
  };
  return {
    heading: 'Layers for equal quality',
    text: 'The fewest iterations or layers that reach a given quality.',
    tables: [result],
  };
}
