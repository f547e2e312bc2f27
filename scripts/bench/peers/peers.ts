/** This service against other ways to serve the same networks: the same requests, in turn within one run. */
import { loadBundles, type Bundle } from '../../../src/bundle/read.ts';
import { matrixOf } from '../../../src/tasks/sparse-recovery/matrix-file.ts';
import { recoveryTraffic } from '../../../src/tasks/sparse-recovery/traffic.ts';
import { median } from '../../../src/util/median.ts';
import { messageOf } from '../../../src/util/message-of.ts';
import { cleanImages, defaultBundle, noisySquare, toPng } from '../material.ts';
import { round, type Bench, type BenchOptions, type Row } from '../row.ts';
import { writeGraphs } from './plain-graphs.ts';
import { usageOf } from './processes.ts';
import { imageRequest, loadFrom, vectorRequest, type Body, type Kind } from './requests.ts';
import { ownService, peers, startServer, type Server } from './servers.ts';

const DENOISER = 'denoise-gray-traffic';
const VECTORS = 64;
const SIDE = 512;
const SIGMA = 25;

interface Workload {
  readonly kind: Kind;
  /** What the peers are asked instead, where they have no such kind. */
  readonly peerKind?: Kind;
  readonly what: string;
  readonly connections: number;
  readonly target: string;
}

const recovery = (kind: 'json' | 'binary', name: string): Workload[] =>
  [1, 16, 64].map((connections, i) => ({
    kind,
    what: `recovery ${name}, ${connections} connection${connections === 1 ? '' : 's'}`,
    connections,
    target: ['≤ 1', '≤ 0.7', '≤ 0.5'][i]!,
  }));

// One at a time: two at once take more CPU time each, so a server that runs one after the other would look cheaper.
const image = `PNG ${SIDE}×${SIDE}`;
const workloads: readonly Workload[] = [
  ...recovery('json', 'JSON'),
  ...recovery('binary', 'binary'),
  { kind: 'png', what: `${image}, full depth`, connections: 1, target: '≤ 1.05' },
  {
    kind: 'adaptive',
    peerKind: 'png',
    what: `${image}, adaptive; peers at full depth`,
    connections: 1,
    target: '≤ 0.3',
  },
];

export const peersBench: Bench = {
  name: 'peers',
  about:
    'CPU time, rate, latency, memory and start beside bare node:http, FastAPI, LitServe, BentoML and MLServer with the same weights.',
  async run(options) {
    const { quick = false } = options;
    const bundle = await defaultBundle(options.modelsDir, 'sparse-recovery');
    const denoiser = await bundleNamed(options.modelsDir, DENOISER);
    const send = await sender(options, bundle);
    const graphs = await writeGraphs(bundle, denoiser);
    const own = ownService(options.modelsDir, DENOISER, denoiser.manifest.depth);
    const servers: Server[] = [];
    try {
      for (const peer of [own, ...peers]) {
        const { path, body } = peer.takes.json!;
        const server = await startServer(peer, graphs, (url) => send.once(url, path, body)).catch(
          (error: unknown) => console.error(`${peer.name} is skipped: ${messageOf(error)}`),
        );
        if (!server) continue;
        servers.push(server);
        // Compilers at run time are done after some thousand requests, as they are in a service that runs for days.
        await send.load(server, 'json', WARM_UP_CONNECTIONS, quick ? 2 : WARM_UP_ALL_SECONDS);
      }
      const chosen = quick ? workloads.filter(({ connections }) => connections < 64) : workloads;
      const rows: Row[] = servers.map(startRow);
      for (const workload of chosen) {
        console.error(workload.what);
        const compared = compare(servers, workload, send, quick);
        // What was measured so far is still worth its minutes.
        rows.push(...(await compared.catch((error: unknown) => skipped(workload, error))));
      }
      return rows;
    } finally {
      await Promise.all(servers.map((server) => server.close()));
    }
  },
};

async function bundleNamed(modelsDir: string, name: string): Promise<Bundle> {
  const found = (await loadBundles(modelsDir)).bundles.find(
    ({ manifest }) => manifest.name === name,
  );
  if (!found) throw new Error(`There is no model ${name} in ${modelsDir}.`);
  return found;
}

type Sender = Awaited<ReturnType<typeof sender>>;

/** Draws the requests: signals of the traffic's test part, and one noisy image. */
async function sender(options: BenchOptions, { manifest }: Bundle) {
  const traffic = recoveryTraffic(await matrixOf(manifest, options.modelsDir), 'test', 1);
  const vectors: Float32Array[] = [];
  for (let i = 0; i < VECTORS; i++) vectors.push((await traffic.draw(i)).sample.measurements!.data);
  const clean = (await cleanImages(options))[0]!;
  const png = Buffer.from(await toPng(noisySquare(clean, SIDE, SIGMA)));
  const requestsOf = (kind: Kind, body: Body) =>
    kind === 'json' || kind === 'binary'
      ? vectors.map((vector) => vectorRequest(vector, body))
      : [imageRequest(png, body)];
  return {
    /** Whether a first recovery is answered. */
    once: async (url: string, path: string, form: Body): Promise<boolean> => {
      const { contentType, body } = vectorRequest(vectors[0]!, form);
      const asked = { method: 'POST', headers: { 'content-type': contentType }, body };
      const answer = await fetch(`${url}${path}`, asked).catch(() => undefined);
      await answer?.arrayBuffer();
      return answer?.ok === true;
    },
    load: (server: Server, kind: Kind, connections: number, seconds: number) => {
      const { path, body } = server.takes[kind]!;
      return loadFrom(server.url, path, requestsOf(kind, body), { connections, seconds });
    },
  };
}

const startRow = ({ name, start }: Server): Row => ({
  benchmark: 'peers',
  what: `start to the first answer: ${name}`,
  value: round(start.cpu),
  unit: 's CPU',
  ...(name === 'stopwise' && { target: '≤ 3' }),
  detail: `${megabytes(start.memory)} MiB`,
});

const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);

function skipped({ what }: Workload, error: unknown): Row[] {
  console.error(`${what} is skipped: ${messageOf(error)}`);
  return [];
}

/** Each server is loaded like this before all workloads. */
const WARM_UP_CONNECTIONS = 16;
const WARM_UP_ALL_SECONDS = 10;
/** Before each workload, s: long enough for a few images. */
const WARM_UP_SECONDS = 3;

interface Round {
  /** CPU time of the server, ms a request. */
  readonly cpu: number;
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly memory: number;
}

/** Loads the servers in turn, several rounds of each; medians. */
async function compare(
  servers: readonly Server[],
  { kind, peerKind = kind, what, connections, target }: Workload,
  send: Sender,
  quick: boolean,
): Promise<Row[]> {
  const [rounds, seconds] = quick ? [1, 2] : [3, 4];
  const kindOf = (server: Server): Kind => (server.name === 'stopwise' ? kind : peerKind);
  const asked: Server[] = [];
  for (const server of servers) {
    if (!server.takes[kindOf(server)]) continue;
    const warmUp = await send.load(server, kindOf(server), connections, WARM_UP_SECONDS);
    if (warmUp.requests > 0) asked.push(server);
    else console.error(`${server.name} is skipped: it answers no such request.`);
  }
  const results = new Map<string, Round[]>(asked.map(({ name }) => [name, []]));
  for (let i = 0; i < rounds; i++) {
    for (const server of asked) {
      const one = await measure(server, kindOf(server), connections, send, seconds);
      results.get(server.name)!.push(one);
    }
  }
  const middle = (name: string, of: keyof Round): number =>
    median(results.get(name)!.map((one) => one[of]));
  const row = (name: string): Row => ({
    benchmark: 'peers',
    what: `${what}: ${name}`,
    value: round(middle(name, 'cpu')),
    unit: 'ms CPU',
    detail: `${round(middle(name, 'rate'))}/s, p50 ${round(middle(name, 'p50'))} ms, p99 ${round(middle(name, 'p99'))} ms, ${megabytes(middle(name, 'memory'))} MiB`,
  });
  const others = asked.map(({ name }) => name).filter((name) => name !== 'stopwise');
  const best = Math.min(...others.map((name) => middle(name, 'cpu')));
  return [
    ...asked.map(({ name }) => row(name)),
    {
      benchmark: 'peers',
      what: `${what}: stopwise over the best`,
      value: round(middle('stopwise', 'cpu') / best),
      unit: '×',
      target,
    },
  ];
}

/** @throws Error where no request was answered */
async function measure(
  server: Server,
  kind: Kind,
  connections: number,
  send: Sender,
  seconds: number,
): Promise<Round> {
  const before = await usageOf(server.pid);
  const result = await send.load(server, kind, connections, seconds);
  const after = await usageOf(server.pid);
  if (result.faults > 0) console.error(`${server.name}: ${result.faults} requests failed.`);
  if (result.requests === 0) throw new Error(`${server.name} answered no request.`);
  return {
    cpu: (1000 * (after.cpu - before.cpu)) / result.requests,
    rate: result.requests / result.seconds,
    p50: result.p50,
    p99: result.p99,
    memory: after.memory,
  };
}
