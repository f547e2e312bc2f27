/** `fuzz`: mutated and generated requests over all routes and codecs; reports 5xx, hangs, deaths and growth. */
import { parseArgs } from 'node:util';
import { Random } from '../../src/data/random.ts';
import { startService, type Service } from '../bench/service.ts';
import { mutated, wireBytes } from './mutate.ts';
import { generated } from './properties.ts';
import { seedRequests, type Shot } from './seeds.ts';
import { HANG_MS, newAgent, send, sendBytes, type Ending, isFailure } from './send.ts';

export const usage = `npm run fuzz [-- --requests N] [--seed N] [--connections N]
  --requests N      requests to send (default 20000)
  --seed N          the requests drawn (default: the time); printed with each finding
  --connections N   requests at once (default 4)
  --hang S          seconds after which a request counts as a hang (default 5)
MODELS_DIR names the bundles; the others are those of npm start.`;

/** Requests drawn at once. */
const BLOCK = 500;
/**
 * Growth of the least resident memory from the third quarter of the run to the last that is a finding, as a share. The least,
 * because a block that ends with large images decoded holds a hundred MiB more than the next.
 */
const MAX_GROWTH = 0.05;
/** Shorter runs say nothing on growth: over the first hundred thousand requests V8 and the allocator still reach their size. */
const GROWTH_FROM = 200_000;
/** Findings of one kind that are printed. */
const MAX_PRINTED = 5;

export async function fuzz(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      requests: { type: 'string', default: '20000' },
      seed: { type: 'string', default: String(Date.now() % 1e9) },
      connections: { type: 'string', default: '4' },
      hang: { type: 'string', default: String(HANG_MS / 1000) },
    },
  });
  const [count, seed, connections, hang] = [
    values.requests,
    values.seed,
    values.connections,
    values.hang,
  ].map(Number);
  if (
    ![count, seed, connections, hang].every((value) => Number.isInteger(value) && Number(value) > 0)
  )
    throw new Error(
      `--requests, --seed, --connections and --hang are positive integers.\n${usage}`,
    );
  const service = await startService(process.env.MODELS_DIR ?? 'models', { LOG_LEVEL: 'info' });
  try {
    const run = new Run(service, seed ?? 1, 1000 * (hang ?? 5));
    await run.all(count ?? 0, connections ?? 1);
    report(run, count ?? 0);
  } finally {
    await service.close();
  }
}

class Run {
  readonly findings: string[] = [];
  readonly statuses = new Map<string, number>();
  /** Resident memory after each block, bytes. */
  readonly memory: number[] = [];
  slowest = 0;

  constructor(
    private readonly service: Service,
    private readonly seed: number,
    private readonly hangMs: number,
  ) {}

  async all(count: number, connections: number): Promise<void> {
    const seeds = await seedRequests();
    const agent = newAgent(connections);
    await this.checkSeeds(seeds, agent);
    for (let done = 0; done < count; done += BLOCK) {
      const block = (done / BLOCK + this.seed) | 0;
      const random = new Random(block);
      const size = Math.min(BLOCK, count - done);
      const shots = generated(Math.ceil(size / 5), block);
      while (shots.length < size) shots.push(mutated(random.item(seeds), random));
      let next = 0;
      const work = async (): Promise<void> => {
        while (next < shots.length) {
          const at = next++;
          const shot = shots[at];
          if (shot) await this.one(shot, block, at % 20 === 0 ? random : undefined, agent);
        }
      };
      await Promise.all(Array.from({ length: connections }, work));
      this.checkAlive();
      this.memory.push(await this.service.memory());
      progress(done + size, count);
    }
    await this.checkSeeds(seeds, agent);
    agent.destroy();
  }

  /** A valid request of every kind is answered, before and after. */
  private async checkSeeds(seeds: readonly Shot[], agent: ReturnType<typeof newAgent>) {
    for (const shot of seeds) {
      const ending = await send(this.service.url, shot, agent, this.hangMs);
      if (ending.status !== 200 && ending.status !== 206)
        this.found(`a valid request ended with ${ending.status}`, shot, ending, 0);
    }
    this.checkAlive();
  }

  /** Sends one request; over a connection of its own, with its bytes broken, where `wire` is given. */
  private async one(
    shot: Shot,
    block: number,
    wire: Random | undefined,
    agent: ReturnType<typeof newAgent>,
  ): Promise<void> {
    const { url } = this.service;
    const ending = wire
      ? await sendBytes(url, wireBytes(shot, wire), this.hangMs)
      : await send(url, shot, agent, this.hangMs);
    const { status, ms } = ending;
    this.slowest = Math.max(this.slowest, ms);
    this.statuses.set(String(status), (this.statuses.get(String(status)) ?? 0) + 1);
    if (status === 'hang' || ms > this.hangMs) this.found('hang', shot, ending, block);
    else if (status === 'closed' && !wire) this.found('no answer', shot, ending, block);
    else if (isFailure(ending)) this.found(`status ${status}`, shot, ending, block);
  }

  private found(
    what: string,
    { method, path, headers, body }: Shot,
    ending: Ending,
    block: number,
  ) {
    const lines = [
      `${what} after ${ending.ms.toFixed(0)} ms, block ${block}: ${method} ${path.slice(0, 300)}`,
      `  headers ${JSON.stringify(headers).slice(0, 500)}`,
      `  body ${body.length} bytes, base64 ${body.toString('base64').slice(0, 2_000)}`,
      `  answer ${ending.body.toString('utf8').slice(0, 300)}`,
    ];
    this.findings.push(lines.join('\n'));
  }

  /** @throws where the service has ended */
  private checkAlive(): void {
    const ending = this.service.ending();
    if (ending === undefined) return;
    const found = this.findings.slice(0, MAX_PRINTED).join('\n');
    throw new Error(
      `The service ended with ${ending}. Its log:\n${this.service.log().join('\n')}\n${found}`,
    );
  }
}

function report({ findings, statuses, memory, slowest }: Run, count: number): void {
  const MiB = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  const quarters = [0, 1, 2, 3].map((i) =>
    memory.slice(Math.floor((i * memory.length) / 4), Math.ceil(((i + 1) * memory.length) / 4)),
  );
  const least = quarters.map((quarter) => Math.min(...quarter));
  console.log(
    `${count} requests: ${[...statuses]
      .sort()
      .map(([status, n]) => `${status} ×${n}`)
      .join(', ')}`,
  );
  console.log(
    `slowest ${slowest.toFixed(0)} ms; least memory by quarters ${least.map(MiB).join(', ')}, most ${MiB(Math.max(...memory))}`,
  );
  const growth = (least[3] ?? 0) / (least[2] ?? 1) - 1;
  const isLong = count >= GROWTH_FROM;
  if (isLong && growth > MAX_GROWTH)
    findings.push(
      `memory grew by ${(100 * growth).toFixed(1)} % from the third quarter to the last`,
    );
  for (const finding of findings.slice(0, MAX_PRINTED)) console.log(finding);
  if (findings.length > 0) throw new Error(`${findings.length} findings`);
  console.log(`No 5xx, no hang${isLong ? ', no growth' : ''}.`);
}

function progress(done: number, count: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${count}`);
}
