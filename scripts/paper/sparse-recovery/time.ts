/** Quality against measured time over thresholds and prices of compute, and at fixed depths. */
import { join } from 'node:path';
import type { Condition } from '../../../src/evaluation/data.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { startEngine } from '../../../src/evaluation/measure.ts';
import { matrixOf } from '../../../src/tasks/sparse-recovery/matrix-file.ts';
import { nmse } from '../../../src/evaluation/metrics.ts';
import { curves } from '../../plots/curves.ts';
import type { StoppingParameters } from '../../../src/stopping/parameters.ts';
import { readWeights } from '../../../src/training/from-bundle.ts';
import { recoveryDefaults } from '../../../src/tasks/sparse-recovery/config.ts';
import { requireModel } from '../models.ts';
import { decibels } from '../numbers.ts';
import { withTrainedModels } from '../training-jobs.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { recoveryJob } from './recovery-job.ts';
import { BEST, testSet } from './setting.ts';

export const time: Part = {
  name: 'time',
  about: 'Quality over time per sample, single and batched, over thresholds and prices.',
  run,
};

/** Prices λ of the full depth, dB; a policy is trained for each on the same layers. */
const PRICES = [0.5, 1.5, 4, 8];
const THRESHOLDS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7];
const TOGETHER = 64;

interface Rule {
  readonly name: string;
  readonly group: 'fixed' | 'threshold' | 'price';
  readonly engine: Engine;
  readonly model: string;
  readonly stopping: StoppingParameters;
}

interface Measured {
  readonly rule: Rule;
  readonly depth: number;
  /** NMSE, dB. */
  readonly quality: number;
  /** ms per sample, alone and in requests of 64. */
  readonly single: number;
  readonly batched: number;
}

async function run({ modelsDir, quick, onProgress }: ReproduceOptions): Promise<Section[]> {
  const engine = await startEngine(modelsDir, [BEST]);
  try {
    requireModel(engine, BEST, modelsDir);
    return await measureAgainstTime(engine, { modelsDir, quick, onProgress });
  } finally {
    await engine.close();
  }
}

async function measureAgainstTime(
  engine: Engine,
  { modelsDir, quick, onProgress }: ReproduceOptions,
): Promise<Section[]> {
  const matrix = await matrixOf({ name: BEST }, modelsDir);
  const from = await readWeights(join(modelsDir, BEST));
  const usual = recoveryDefaults.vamp;
  const jobs = PRICES.map((lambda) => ({
    name: `price-${lambda}`,
    matrix,
    from,
    config: {
      ...usual,
      batch: 64,
      stageOne: { ...usual.stageOne, steps: 0 },
      stageTwo: { ...usual.stageTwo, lambda, steps: quick ? 2 : 400 },
    },
  }));
  const conditions = testSet(matrix, quick ? 4 : 100);
  return withTrainedModels(
    jobs.map(recoveryJob),
    (what, share) => onProgress(what, 0.5 * share),
    async (priced) => {
      const rules = rulesOf(engine, priced);
      const measured = await measure(rules, conditions, quick ? 1 : 3, (share) =>
        onProgress('measuring', 0.5 + 0.5 * share),
      );
      const count = conditions.reduce((sum, { cases }) => sum + cases.length, 0);
      return [await section(measured, count)];
    },
  );
}

function rulesOf(engine: Engine, priced: Engine): Rule[] {
  const { exits, threshold = 0.5 } = engine.manifests.get(BEST)!;
  const best = { engine, model: BEST };
  return [
    ...exits.map((depth): Rule => ({
      ...best,
      name: `depth ${depth}`,
      group: 'fixed',
      stopping: { rule: 'fixed', depth },
    })),
    ...THRESHOLDS.map((tau): Rule => ({
      ...best,
      name: `threshold ${tau}`,
      group: 'threshold',
      stopping: { threshold: tau },
    })),
    {
      ...best,
      name: `calibrated threshold, ${threshold}`,
      group: 'threshold',
      stopping: { threshold },
    },
    ...PRICES.map((lambda): Rule => {
      const model = `price-${lambda}`;
      return {
        engine: priced,
        model,
        name: `λ = ${lambda} dB, threshold 0.5`,
        group: 'price',
        stopping: { threshold: 0.5 },
      };
    }),
  ];
}

/** Runs all rules on each sample in turn, so that other load on the machine affects all alike; the shortest of several rounds counts. */
async function measure(
  rules: readonly Rule[],
  conditions: readonly Condition[],
  rounds: number,
  onProgress: (share: number) => void,
): Promise<Measured[]> {
  // Interleave the conditions, so that every batch mixes the noise levels.
  const cases = conditions[0]!.cases.flatMap((_, i) =>
    conditions.map((condition) => condition.cases[i]!),
  );
  const seen = rules.map(() => ({
    single: 0,
    batched: 0,
    depth: 0,
    parts: [] as (readonly [number, number])[],
  }));
  const fastest = async (rule: Rule, some: typeof cases) => {
    const samples = some.map(({ sample }) => sample);
    let ms = Number.POSITIVE_INFINITY;
    let result = await rule.engine.run(rule.model, samples, rule.stopping);
    for (let round = 0; round < rounds; round++) {
      result = await rule.engine.run(rule.model, samples, rule.stopping);
      ms = Math.min(ms, result.timing.computeMs);
    }
    return { ms, samples: result.samples };
  };
  for (const [at, one] of cases.entries()) {
    onProgress((0.8 * at) / cases.length);
    for (const [i, rule] of rules.entries()) {
      const { ms, samples } = await fastest(rule, [one]);
      seen[i]!.single += ms / cases.length;
      seen[i]!.depth += samples[0]!.depth / cases.length;
      seen[i]!.parts.push(nmse.sample(samples[0]!.outputs.signal!.data, one.truth));
    }
  }
  for (let at = 0; at < cases.length; at += TOGETHER) {
    onProgress(0.8 + (0.2 * at) / cases.length);
    const some = cases.slice(at, at + TOGETHER);
    for (const [i, rule] of rules.entries())
      seen[i]!.batched += (await fastest(rule, some)).ms / cases.length;
  }
  return rules.map((rule, i) => ({ rule, ...seen[i]!, quality: nmse.total(seen[i]!.parts) }));
}

async function section(measured: readonly Measured[], count: number): Promise<Section> {
  const full = measured.filter(({ rule }) => rule.group === 'fixed').at(-1)!;
  const share = (value: number, whole: number): string => `${((100 * value) / whole).toFixed(0)} %`;
  const rows = measured.map(({ rule, depth, quality, single, batched }) => [
    rule.name,
    depth.toFixed(2),
    decibels(quality),
    (quality - full.quality).toFixed(3),
    single.toFixed(3),
    share(single, full.single),
    batched.toFixed(4),
    share(batched, full.batched),
  ]);
  const points = (group: Rule['group'], value: 'single' | 'batched') =>
    measured
      .filter(({ rule }) => rule.group === group)
      .map((row) => ({ x: row[value], y: row.quality }));
  const plot = (value: 'single' | 'batched', title: string): Promise<string> =>
    curves({
      title,
      x: { title: 'ms per sample' },
      y: { title: 'NMSE, dB' },
      curves: [
        { name: 'every sample at one depth', points: points('fixed', value) },
        {
          name: 'policy, by its threshold',
          points: points('threshold', value).sort((a, b) => a.x - b.x),
        },
        {
          name: 'policies by the price of compute',
          points: points('price', value).sort((a, b) => a.x - b.x),
          line: false,
        },
      ],
    });
  return {
    heading: 'Quality against time',
    text:
      `${count} signals, SNR 20, 30 and 40 dB mixed; all rules run on each signal in turn; compute time only, shortest of three. Batched: ` +
      `requests of ${TOGETHER}. Shares are of full depth.`,
    tables: [
      {
        columns: [
          'rule',
          'mean layers',
          'NMSE, dB',
          'lost, dB',
          'ms alone',
          'share',
          'ms batched',
          'share',
        ],
        rows,
      },
    ],
    figures: [
      {
        file: 'time-single.svg',
        caption: 'NMSE over time, a request alone',
        content: await plot('single', 'A request alone'),
      },
      {
        file: 'time-batched.svg',
        caption: 'NMSE over time, batched',
        content: await plot('batched', `Requests of ${TOGETHER} signals`),
      },
    ],
  };
}
