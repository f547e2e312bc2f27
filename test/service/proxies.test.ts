/** The proxy configurations of deploy/proxy as they stand, but for addresses: two replicas behind HAProxy and nginx. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { smallModels, writeModels } from '../support/small.ts';
import { startProcess, until, type Process } from './process.ts';

const proxies = {
  haproxy: { program: '/usr/sbin/haproxy', file: 'haproxy.cfg', port: 'bind :8000' },
  nginx: { program: '/usr/sbin/nginx', file: 'nginx.conf', port: 'listen 8000' },
} as const;
type Kind = keyof typeof proxies;
const kinds = (Object.keys(proxies) as Kind[]).filter((kind) => {
  const isThere = existsSync(proxies[kind].program);
  if (!isThere) console.log(`${kind} is not installed: its tests are skipped.`);
  return isThere;
});

let models: string;
let image: Buffer;
const running: (ChildProcess | Server)[] = [];
beforeAll(async () => {
  models = await writeModels(smallModels().filter(({ name }) => name !== 'small-gray'));
  image = await noise(100);
});
afterEach(() => {
  for (const one of running.splice(0))
    if ('kill' in one) one.kill('SIGKILL');
    else one.close();
});

/** A PNG of 16 bits that is not compressed: 6 bytes a pixel. */
const noise = (side: number): Promise<Buffer> =>
  sharp({
    create: {
      ...{ width: side, height: side, channels: 3, background: '#777' },
      noise: { type: 'gaussian', mean: 128, sigma: 60 },
    },
  })
    .toColourspace('rgb16')
    .png({ compressionLevel: 0 })
    .toBuffer();

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

async function startReplica(port: number): Promise<Process> {
  const service = await startProcess({
    ...{ MODELS_DIR: models, PORT: String(port), BASE_PATH: '/stopwise' },
    ...{ DRAIN_DELAY: '2', TRUST_PROXY: '127.0.0.1', LOG_REQUESTS: '0' },
    ...{ MAX_QUEUE_SECONDS: '30' },
  });
  running.push(service.child);
  return service;
}

/** Puts the addresses into the file. @throws where it has none of them, as the file would then not be tested */
async function configure(kind: Kind, port: number, replicas: readonly number[]): Promise<string> {
  const { file, port: listening } = proxies[kind];
  let text = await readFile(join('deploy/proxy', file), 'utf8');
  const put = (from: string, to: string): void => {
    if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
    text = text.replace(from, to);
  };
  put(listening, listening.replace(/:?8000/, `127.0.0.1:${port}`));
  replicas.forEach((replica, i) => put(`stopwise-${i + 1}:8080`, `127.0.0.1:${replica}`));
  return text;
}

/** Starts a proxy in front of two replicas. @returns the URL below which they are reached */
async function startProxy(kind: Kind, replicas: readonly [number, number]): Promise<string> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), `stopwise-${kind}-`));
  const file = join(folder, 'proxy.conf');
  const text = await configure(kind, port, replicas);
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const around = [
    `pid ${folder}/pid; error_log ${folder}/error.log; daemon off; user root;`,
    `events {} http { access_log off;`,
    ...paths.map((path) => `${path}_temp_path ${folder}/${path};`),
  ];
  await writeFile(file, kind === 'nginx' ? `${around.join('\n')}\n${text}\n}\n` : text);
  const args = kind === 'nginx' ? ['-c', file, '-p', folder] : ['-db', '-f', file];
  const child = spawn(proxies[kind].program, args, { stdio: 'ignore' });
  running.push(child);
  const url = `http://127.0.0.1:${port}/stopwise`;
  const ready = async (): Promise<boolean> =>
    (await fetch(`${url}/health/ready`).catch(() => undefined))?.ok ?? false;
  await until(ready, 10);
  return url;
}

const body = JSON.stringify({ measurements: Array.from({ length: 12 }, (_, i) => Math.sin(i)) });
const send = async (url: string, type: string, content: string | Buffer): Promise<string> => {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': type },
    body: content as string,
  });
  const text = await answer.text();
  return answer.ok ? 'ok' : `${answer.status} ${text.slice(0, 200)}`;
};

/** Sends signals and images over some connections until told to stop, and counts how they end. */
function load(url: string): () => Promise<Record<string, number>> {
  const endings: Record<string, number> = {};
  let stopped = false;
  const client = async (_: unknown, i: number): Promise<void> => {
    while (!stopped) {
      const sent =
        i > 0
          ? send(`${url}/v1/recover`, 'application/json', body)
          : send(`${url}/v1/denoise`, 'image/png', image);
      const ending = await sent.catch((error: unknown) => String((error as Error).cause));
      endings[ending] = (endings[ending] ?? 0) + 1;
      await sleep(50);
    }
  };
  const clients = Array.from({ length: 4 }, client);
  return async () => {
    stopped = true;
    await Promise.all(clients);
    return endings;
  };
}

/** A replica that listens again is noticed by then. */
const NOTICED_MS = 1_500;

describe.each(kinds)('two replicas behind %s', (kind) => {
  it('lose no request where one of them is killed', async () => {
    const ports = [await freePort(), await freePort()] as const;
    const [first] = await Promise.all(ports.map(startReplica));
    const stop = load(await startProxy(kind, ports));
    await sleep(1_000);
    first!.child.kill('SIGKILL');
    await sleep(1_500);
    const endings = await stop();
    expect(Object.keys(endings)).toEqual(['ok']);
    expect(endings.ok).toBeGreaterThan(20);
  }, 240_000);

  // With nginx it is the same but for the time that it takes.
  it.runIf(kind === 'haproxy')(
    'lose no request in a rolling restart',
    async () => {
      const ports = [await freePort(), await freePort()] as const;
      const replicas = await Promise.all(ports.map(startReplica));
      const stop = load(await startProxy(kind, ports));
      for (const [i, { child, ended }] of replicas.entries()) {
        child.kill('SIGTERM');
        expect(await ended).toBe(0);
        await startReplica(ports[i]!);
        await sleep(NOTICED_MS);
      }
      const endings = await stop();
      expect(Object.keys(endings)).toEqual(['ok']);
      expect(endings.ok).toBeGreaterThan(50);
    },
    120_000,
  );
});

describe.each(kinds)('%s', (kind) => {
  it.runIf(kind === 'nginx')(
    'takes a body of 20 MB, and gives page and documentation under the prefix',
    async () => {
      const port = await freePort();
      await startReplica(port);
      const url = await startProxy(kind, [port, await freePort()]);
      const large = await noise(1840);
      expect(large.length).toBeGreaterThan(20e6);
      expect(await send(`${url}/v1/denoise?rule=fixed&depth=2`, 'image/png', large)).toBe('ok');
      const links = [...(await linksOf(`${url}/`)), ...(await linksOf(`${url}/docs/`))];
      expect(links.length).toBeGreaterThan(5);
      for (const link of [...links, `${url}/samples/noisy.png`]) {
        expect(link).toMatch(`${url}/`);
        expect((await fetch(link)).status, link).toBe(200);
      }
      const page = await fetch(url);
      expect(page.status).toBe(200);
      expect(page.url).toBe(`${url}/`);
      const document = (await (await fetch(`${url}/openapi.json`)).json()) as Document;
      expect(document.servers[0]?.url).toMatch(/\/stopwise$/);
      expect((await fetch(new URL('/v1/models', url))).status).toBe(404);
    },
    120_000,
  );

  it('refuses a body over the limit, and passes on prefix, address and events as they come', async () => {
    const asked: { url: string; headers: IncomingHttpHeaders }[] = [];
    const stub = createHttpServer(({ url = '', headers }, response) => {
      asked.push({ url, headers });
      if (!url.endsWith('/events')) return void response.end('ok');
      response.writeHead(200, { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
      // The answer never ends: whoever collects it has nothing to pass on.
      response.write('event: exit\ndata: {}\n\n');
    }).listen(0, '127.0.0.1');
    running.push(stub);
    await once(stub, 'listening');
    const { port } = stub.address() as AddressInfo;
    const url = await startProxy(kind, [port, port]);
    const controller = new AbortController();
    const answer = await fetch(`${url}/events`, {
      signal: controller.signal,
      headers: { 'x-forwarded-for': '10.1.2.3' },
    });
    const { value } = (await answer.body!.getReader().read()) as { value: Uint8Array };
    expect(Buffer.from(value).toString()).toBe('event: exit\ndata: {}\n\n');
    controller.abort();
    const { headers } = asked.find((one) => one.url === '/stopwise/events')!;
    const forwarded = String(headers['x-forwarded-for']).split(/, */);
    expect(forwarded).toEqual(['10.1.2.3', '127.0.0.1']);
    expect(headers['x-forwarded-proto']).toBe('http');
    const refused = await send(`${url}/large`, 'image/png', Buffer.alloc(70e6)).catch(String);
    expect(refused).toMatch(/^413|fetch failed/);
    expect(asked.filter((one) => one.url.endsWith('/large'))).toEqual([]);
    stub.closeAllConnections();
  }, 30_000);
});

interface Document {
  readonly servers: readonly { readonly url: string }[];
}

/** What a page loads from its own site. */
async function linksOf(page: string): Promise<string[]> {
  const text = await (await fetch(page)).text();
  const links = [...text.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, link]) => link!);
  return links.filter((link) => !/^(data|https?):/.test(link)).map((l) => new URL(l, page).href);
}
