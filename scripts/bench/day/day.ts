/** A day of images against a deployment that scales itself, simulated with measured costs: which signal to scale on. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random } from '../../../src/data/random.ts';
import { startEngine } from '../../../src/evaluation/measure.ts';
import { median } from '../../../src/util/median.ts';
import { curves } from '../../plots/curves.ts';
import { cleanImages, defaultBundle, noisySquare, perform, toPng } from '../material.ts';
import { round, type Bench, type BenchOptions, type Row } from '../row.ts';
import { byCpu, byPendingSeconds, byRate, type ScalingRule } from './autoscaler.ts';
import { play, type Day, type Played, type RequestCost } from './simulate.ts';

const HOUR = 3600;
const SIDE = 512;
/** Noise levels, of 255, and the share of each in the images of the night and of the evening. */
const MIX = [
  { sigma: 0, night: 0.6, evening: 0.1 },
  { sigma: 5, night: 0.25, evening: 0.15 },
  { sigma: 15, night: 0.1, evening: 0.25 },
  { sigma: 25, night: 0.05, evening: 0.25 },
  { sigma: 50, night: 0, evening: 0.25 },
];
const REPEATS = 5;
/** The work of the busiest minute outside the burst, in replicas. */
const PEAK = 5;
const WORKERS = 2;
const SEED = 1;

export const day: Bench = {
  name: 'day',
  about:
    'A simulated day of images: replicas, latency and refusals when scaling on pending seconds, on CPU and on the request rate.',
  async run(options) {
    const simulated = dayOf(await measureCosts(options));
    const rules = [
      ...[2, 3].map(byPendingSeconds),
      ...[0.7, 0.85].map(byCpu),
      byRate(rateOf(simulated)),
    ];
    const played = rules.map((rule) => ({ rule, ...play(simulated, rule, new Random(SEED)) }));
    if (options.plots !== undefined) await plot(join(options.plots, 'day.svg'), simulated, played);
    return played.flatMap(rowsOf);
  },
};

/** Compute of an image by noise level: at the first exit that computes, and where the default rule stops it. */
export type Costs = ReadonlyMap<number, RequestCost>;

async function measureCosts(options: BenchOptions): Promise<Costs> {
  const { manifest } = await defaultBundle(options.modelsDir, 'denoise');
  const engine = await startEngine(options.modelsDir, [manifest.name]);
  const first = manifest.exits.find((exit) => exit > 0)!;
  const [image] = await cleanImages(options);
  const costs = new Map<number, RequestCost>();
  try {
    for (const { sigma } of MIX) {
      const png = await toPng(noisySquare(image!, SIDE, sigma));
      const seconds = async (stopping: Parameters<typeof perform>[4]): Promise<number> => {
        const times: number[] = [];
        for (let i = 0; i < REPEATS; i++) {
          // CPU time, on which other work of the machine has little influence.
          const start = process.cpuUsage();
          await perform(engine, 'denoise', 'image/png', png, stopping);
          const { user, system } = process.cpuUsage(start);
          times.push((user + system) / 1e6);
        }
        return median(times);
      };
      costs.set(sigma, {
        first: await seconds({ rule: 'fixed', depth: first }),
        policy: await seconds({}),
      });
    }
  } finally {
    await engine.close();
  }
  return costs;
}

/** 0 at four in the morning, 1 at four in the afternoon. */
const daylight = (at: number): number => (1 - Math.cos((2 * Math.PI * (at / HOUR - 4)) / 24)) / 2;
/** 0 until five in the afternoon, 1 from eight to eleven in the evening: people send what they took in dim light. */
const dimLight = (at: number): number =>
  Math.min(1, Math.max(0, Math.min((at / HOUR - 17) / 3, 24 - at / HOUR)));
/** A burst of twice the rate for ten minutes from half past ten on. */
const isBurst = (at: number): boolean => at >= 10.5 * HOUR && at < 10.5 * HOUR + 600;

/** The day: its rate follows the light, its noise the evening. */
export function dayOf(costs: Costs): Day {
  const meanCost = (evening: number): number =>
    MIX.reduce((sum, row) => sum + share(row, evening) * costs.get(row.sigma)!.policy, 0);
  const peakRate = (PEAK * WORKERS) / meanCost(0);
  return {
    seconds: 24 * HOUR,
    rate: (at) => peakRate * (0.1 + 0.9 * daylight(at)) * (isBurst(at) ? 2 : 1),
    draw(at, random) {
      const evening = dimLight(at);
      let left = random.uniform();
      const drawn = MIX.find((row) => (left -= share(row, evening)) < 0) ?? MIX[0]!;
      return costs.get(drawn.sigma)!;
    },
    limits: { samples: 1024, seconds: 2 * WORKERS, workers: WORKERS },
    startSeconds: 30,
  };
}

const share = ({ night, evening }: (typeof MIX)[number], at: number): number =>
  night + at * (evening - night);

/** What a replica takes at 70 % of its compute with the images of noon: what one would set by a load test. */
function rateOf({ draw }: Day): number {
  const random = new Random(SEED);
  const count = 2000;
  let seconds = 0;
  for (let i = 0; i < count; i++) seconds += draw(12 * HOUR, random).policy;
  return (0.7 * WORKERS * count) / seconds;
}

function rowsOf({ rule, ...played }: Played & { readonly rule: ScalingRule }): Row[] {
  const { answered, refused, lowered, latencies, replicaHours } = played;
  const quantile = (q: number): number => latencies[Math.floor(q * (latencies.length - 1))]!;
  const row = (what: string, value: number, unit: string): Row => ({
    benchmark: 'day',
    what: `${rule.name}: ${what}`,
    value: round(value),
    unit,
  });
  return [
    row('replicas over the day', replicaHours, 'h'),
    row('latency, p50', 1000 * quantile(0.5), 'ms'),
    row('latency, p99', 1000 * quantile(0.99), 'ms'),
    row('refused', (100 * refused) / (answered + refused), '%'),
    row('answered at a lowered depth', (100 * lowered) / answered, '%'),
  ];
}

async function plot(
  file: string,
  { rate }: Day,
  played: readonly (Played & { readonly rule: ScalingRule })[],
): Promise<void> {
  const everyTenMinutes = Array.from({ length: 24 * 6 }, (_, i) => i * 600);
  const most = Math.max(...everyTenMinutes.map(rate));
  await writeFile(
    file,
    await curves({
      title: 'Replicas over a simulated day',
      x: { title: 'hour' },
      y: { title: 'replicas' },
      curves: [
        {
          name: `requests (${PEAK * 2} = ${Math.round(most)}/s)`,
          points: everyTenMinutes.map((at) => ({
            x: at / HOUR,
            y: (2 * PEAK * rate(at)) / most,
          })),
        },
        ...played.map(({ rule, replicas }) => ({
          name: rule.name,
          points: replicas
            .filter((_, i) => i % 40 === 0)
            .map(({ at, count }) => ({ x: at / HOUR, y: count })),
        })),
      ],
    }),
  );
}
