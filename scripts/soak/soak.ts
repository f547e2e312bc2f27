/** `soak`: a mixed load for minutes; memory, descriptors and event loop delay must stay where they were. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Random } from '../../src/data/random.ts';
import { startService, type Service } from '../bench/service.ts';
import { mutated } from '../fuzz/mutate.ts';
import { seedRequests } from '../fuzz/seeds.ts';
import { isFailure, newAgent, send } from '../fuzz/send.ts';

export const usage = `npm run soak [-- --minutes N] [--connections N]
  --minutes N       duration (default 15)
  --connections N   requests at once (default 4)
A tenth of the requests is invalid. The first third of the time is warm-up. MODELS_DIR names the bundles.`;

/** Change from the end of the warm-up to the end that fails, as a share. */
const MAX_CHANGE = 0.03;
/** Descriptors that may come and go with connections. */
const SPARE_DESCRIPTORS = 4;
/** Event loop delay below this is not compared, s: the clock of the histogram is 10 ms. */
const MIN_DELAY = 0.02;
const SAMPLES = 20;

interface Reading {
  readonly memory: number;
  readonly descriptors: number;
  readonly delay: number;
}

export async function soak(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '15' },
      connections: { type: 'string', default: '4' },
    },
  });
  const [minutes = 0, connections = 0] = [values.minutes, values.connections].map(Number);
  if (!(minutes > 0) || !Number.isInteger(connections) || connections < 1)
    throw new Error(`--minutes and --connections are positive numbers.\n${usage}`);
  const service = await startService(process.env.MODELS_DIR ?? 'models');
  try {
    const { before, after, requests, failures } = await run(service, minutes * 60_000, connections);
    console.log(`${requests} requests in ${minutes} minutes`);
    const problems = [...failures, ...compare(before, after)];
    if (problems.length > 0) throw new Error(problems.join('\n'));
    console.log('Flat.');
  } finally {
    await service.close();
  }
}

async function run(service: Service, ms: number, connections: number) {
  const seeds = await seedRequests();
  const agent = newAgent(connections);
  const startedAt = performance.now();
  const failures: string[] = [];
  let requests = 0;
  const left = (): number => ms - (performance.now() - startedAt);
  const client = async (_: unknown, i: number): Promise<void> => {
    const random = new Random(i + 1);
    while (left() > 0) {
      const seed = random.item(seeds);
      const shot = random.uniform() < 0.1 ? mutated(seed, random) : seed;
      const ending = await send(service.url, shot, agent);
      const { status } = ending;
      requests++;
      const isRefused = shot === seed && Number(status) >= 400 && Number(status) < 500;
      if (typeof status === 'string' || isFailure(ending) || isRefused)
        failures.push(`${shot.method} ${shot.path.slice(0, 200)}: ${status}`);
    }
  };
  const clients = Promise.all(Array.from({ length: connections }, client));
  await sleep(ms / 3);
  const before = await read(service, ms / 6);
  await sleep(ms / 4);
  const after = await read(service, left() - 2_000);
  await clients;
  agent.destroy();
  return { before, after, requests, failures };
}

/** The median of several readings over `ms`, under load: memory swings with each image. */
async function read(service: Service, ms: number): Promise<Reading> {
  const readings: Reading[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    const [memory, descriptors, delay] = await Promise.all([
      service.memory(),
      service.metric('process_open_fds'),
      service.metric('nodejs_eventloop_lag_p99_seconds'),
    ]);
    readings.push({ memory, descriptors, delay });
    await sleep(Math.max(0, ms) / SAMPLES);
  }
  const middle = (pick: (reading: Reading) => number): number =>
    readings.map(pick).sort((a, b) => a - b)[SAMPLES / 2] ?? 0;
  return {
    memory: middle(({ memory }) => memory),
    descriptors: middle(({ descriptors }) => descriptors),
    delay: middle(({ delay }) => delay),
  };
}

/** Prints both readings. @returns what grew too much */
function compare(before: Reading, after: Reading): string[] {
  const rows = [
    ['memory', before.memory / 2 ** 20, after.memory / 2 ** 20, 'MiB', 0],
    ['descriptors', before.descriptors, after.descriptors, '', SPARE_DESCRIPTORS],
    ['event loop delay', before.delay * 1000, after.delay * 1000, 'ms', MIN_DELAY * 1000],
  ] as const;
  return rows.flatMap(([name, from, to, unit, spare]) => {
    const change = to / from - 1;
    console.log(
      `${name}: ${from.toFixed(1)} → ${to.toFixed(1)} ${unit} (${(100 * change).toFixed(1)} %)`,
    );
    return change > MAX_CHANGE && to - from > spare
      ? [`${name} grew by ${(100 * change).toFixed(1)} %`]
      : [];
  });
}
