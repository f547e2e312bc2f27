/** The traffic of callers: mean NMSE in dB and worst cell of a grid of sparsity × SNR, beside methods that are told more. */
import type { Manifest } from '../../../src/bundle/manifest.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { startEngine } from '../../../src/evaluation/measure.ts';
import { nmse } from '../../../src/evaluation/metrics.ts';
import { exitAt, trace, type Traced } from '../../../src/evaluation/trace.ts';
import type { Matrix } from '../../../src/families/matrix.ts';
import { matrixOf } from '../../../src/tasks/sparse-recovery/matrix-file.ts';
import {
  recoveryTraffic,
  type RecoveryRequest,
} from '../../../src/tasks/sparse-recovery/traffic.ts';
import { boundsOf, cellOf, meanNmse, pooledNmse, worstCell, type Recovered } from './grid.ts';
import { requireModel } from '../models.ts';
import { decibels } from '../numbers.ts';
import type { Part, ReproduceOptions, Section, Table } from '../report.ts';
import { ista, iterate, vamp } from './baselines.ts';
import { columnNorms, omp } from './omp.ts';
import { BEST, COUPLED, SEED } from './setting.ts';

export const traffic: Part = {
  name: 'traffic',
  about: 'The traffic of callers on a grid of sparsity and SNR, beside VAMP and OMP told more.',
  run,
};

const COUNT = 3600;
/** Iterations of VAMP, and of FISTA with its candidates for ρ. */
const VAMP_ITERATIONS = 24;
const FISTA_ITERATIONS = 100;
const PENALTIES = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1];
/** Requests that a baseline runs together. */
const TOGETHER = 400;
const CELLS = [0, 1, 2, 3, 4, 5];

interface Method {
  readonly name: string;
  readonly recovered: readonly Recovered[];
  /** Mean layers or iterations. */
  readonly depth?: number;
}

async function run({ modelsDir, quick, onProgress }: ReproduceOptions): Promise<Section[]> {
  const engine = await startEngine(modelsDir, [BEST, COUPLED]);
  try {
    const manifest = requireModel(engine, BEST, modelsDir);
    const matrix = await matrixOf(manifest, modelsDir);
    const drawn = (through: Matrix): Promise<RecoveryRequest[]> => {
      const { draw } = recoveryTraffic(through, 'test', SEED, { scale: 1 });
      return Promise.all(Array.from({ length: quick ? 60 : COUNT }, (_, i) => draw(i)));
    };
    const requests = await drawn(matrix);
    onProgress('ours', 0.1);
    const ours = await served(engine, manifest, requests);
    const lista = engine.manifests.get(COUPLED);
    onProgress('methods that are told more', 0.4);
    const oracle = await oracleVamp(matrix, requests);
    const rivals = [
      oracle,
      ompTold(matrix, requests),
      await fista(matrix, requests),
      // Its matrix is another draw of the same kind.
      ...(lista
        ? (await served(engine, lista, await drawn(await matrixOf(lista, modelsDir)))).slice(0, 1)
        : []),
    ];
    return [section([...ours, ...rivals], requests), grids(ours.at(-1)!, oracle)];
  } finally {
    await engine.close();
  }
}

/** A bundle at full depth, and with the rules of its calibration table. */
async function served(
  engine: Engine,
  manifest: Manifest,
  requests: readonly RecoveryRequest[],
): Promise<Method[]> {
  const traced = await trace(engine, manifest, requests, nmse);
  const { name, exits, depth, calibration } = manifest;
  const method = (words: string, pick: (sample: Traced) => number): Method => ({
    name: `${name}, ${words}`,
    recovered: requests.map((request, i) => ({
      ...request,
      parts: traced[i]!.parts[pick(traced[i]!)]!,
    })),
    depth: traced.reduce((sum, sample) => sum + exits[pick(sample)]!, 0) / traced.length,
  });
  const certified = (calibration?.rows ?? []).filter(
    ({ threshold, guaranteed }) => guaranteed && threshold !== null,
  );
  return [
    method(`all ${depth} layers`, () => exits.length - 1),
    ...certified.map(({ tolerance, threshold }) =>
      method(`tolerance ${tolerance} dB`, (sample) => exitAt(sample, threshold!)),
    ),
  ];
}

/** A method's answers, signal by signal. */
const judged = (
  name: string,
  requests: readonly RecoveryRequest[],
  signal: (i: number) => Float32Array,
  depth?: number,
): Method => ({
  name,
  recovered: requests.map((request, i) => ({
    ...request,
    parts: nmse.sample(signal(i), request.truth),
  })),
  ...(depth !== undefined && { depth }),
});

/** The variance of the noise of each request: that of A x, as the sampler defines it, over the SNR. */
const noiseOf = (matrix: Matrix, { truth, snr }: RecoveryRequest): number => {
  const { rows, columns, data } = matrix;
  const clean = Array.from({ length: rows }, (_, i) =>
    truth.reduce((sum, x, j) => (x === 0 ? sum : sum + x * data[i * columns + j]!), 0),
  );
  const mean = clean.reduce((a, b) => a + b, 0) / rows;
  return clean.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rows / 10 ** (snr / 10);
};

async function oracleVamp(matrix: Matrix, requests: readonly RecoveryRequest[]): Promise<Method> {
  const signals = await inParts(matrix, requests, VAMP_ITERATIONS, (some) =>
    vamp(matrix, {
      sparsity: Float32Array.from(some, ({ sparsity }) => sparsity),
      noise: Float32Array.from(some, (request) => noiseOf(matrix, request)),
    }),
  );
  const words = `VAMP told sparsity, noise and variance, ${VAMP_ITERATIONS} iterations`;
  return judged(words, requests, (i) => signals[i]!, VAMP_ITERATIONS);
}

function ompTold(matrix: Matrix, requests: readonly RecoveryRequest[]): Method {
  const norms = columnNorms(matrix);
  return judged('OMP told the noise', requests, (i) => {
    const request = requests[i]!;
    return omp(matrix, norms, request.sample.measurements!.data, noiseOf(matrix, request));
  });
}

/** FISTA with the ρ that is best for the mean over these requests. */
async function fista(matrix: Matrix, requests: readonly RecoveryRequest[]): Promise<Method> {
  const tried: Method[] = [];
  for (const penalty of PENALTIES) {
    const signals = await inParts(matrix, requests, FISTA_ITERATIONS, () =>
      ista(matrix, penalty, true),
    );
    const words = `FISTA, its best ρ, ${penalty}`;
    tried.push(judged(words, requests, (i) => signals[i]!, FISTA_ITERATIONS));
  }
  return tried.reduce((a, b) => (meanNmse(b.recovered) < meanNmse(a.recovered) ? b : a));
}

async function inParts(
  { rows, columns }: Matrix,
  requests: readonly RecoveryRequest[],
  iterations: number,
  iteration: (some: readonly RecoveryRequest[]) => Parameters<typeof iterate>[0],
): Promise<Float32Array[]> {
  const signals: Float32Array[] = [];
  for (let from = 0; from < requests.length; from += TOGETHER) {
    const some = requests.slice(from, from + TOGETHER);
    const measurements = new Float32Array(some.length * rows);
    some.forEach(({ sample }, i) => measurements.set(sample.measurements!.data, i * rows));
    const found = await iterate(iteration(some), measurements, some.length, iterations);
    some.forEach((_, i) => signals.push(found.at(-1)!.slice(i * columns, (i + 1) * columns)));
  }
  return signals;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function section(methods: readonly Method[], requests: readonly RecoveryRequest[]): Section {
  const rows = methods.map(({ name, recovered, depth }) => {
    const worst = worstCell(recovered);
    const { sparsity, snr } = boundsOf(worst);
    return [
      name,
      decibels(meanNmse(recovered)),
      decibels(worst.mean),
      `${percent(sparsity[0])}–${percent(sparsity[1])}, ${snr.map((db) => db.toFixed(0)).join('–')} dB`,
      decibels(pooledNmse(recovered)),
      depth?.toFixed(2),
    ];
  });
  return {
    heading: 'The traffic of callers',
    text:
      `${requests.length} requests (seed ${SEED}): sparsity log-uniform 1–20 %, SNR uniform 10–60 dB, five laws of amplitudes. ` +
      'The mean over requests of NMSE in dB, so that every request counts alike; the cell of the grid below with the highest mean; ' +
      'and the pooled NMSE, which the noisiest decide.',
    tables: [{ columns: ['', 'mean, dB', 'worst cell', 'which', 'pooled, dB', 'layers'], rows }],
  };
}

/** @param ours with the rule of the largest tolerance */
function grids(ours: Method, oracle: Method): Section {
  return {
    heading: 'Cell by cell',
    text: `Mean NMSE in dB of ${ours.name}, and how much higher it is than that of ${oracle.name}.`,
    tables: [
      grid(({ own }) => decibels(own), ours, oracle),
      grid(({ own, told }) => decibels(own - told), ours, oracle),
    ],
  };
}

function grid(
  cell: (means: { readonly own: number; readonly told: number }) => string,
  ours: Method,
  oracle: Method,
): Table {
  const mean = ({ recovered }: Method, sparsity: number, snr: number): number =>
    meanNmse(
      recovered.filter((one) => {
        const at = cellOf(one);
        return at.sparsity === sparsity && at.snr === snr;
      }),
    );
  return {
    columns: [
      'sparsity',
      ...CELLS.map((snr) => boundsOf({ sparsity: 0, snr }).snr.map((db) => db.toFixed(0)).join('–')), // prettier-ignore
    ],
    rows: CELLS.map((sparsity) => [
      boundsOf({ sparsity, snr: 0 }).sparsity.map(percent).join(' – '),
      ...CELLS.map((snr) =>
        cell({ own: mean(ours, sparsity, snr), told: mean(oracle, sparsity, snr) }),
      ),
    ]),
  };
}
