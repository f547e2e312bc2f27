/** Asks a real Prometheus, which scrapes a running service, every query of the dashboard and of the rules. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromDebian } from './tools.ts';

/** Part of the contract in docs/operations.md, but not given by the service yet: their queries may have no result. */
const PLANNED = /stopwise(_shadow_distance|:shadow_)/;
/** Results that a healthy service does not have, or not in its first hour. */
const MAY_BE_EMPTY = [/stopwise_bundle_refused.* == 1$/, /stopwise:stop_depth:mean1d/];
/** What Grafana fills in. */
const variables: readonly (readonly [RegExp, string])[] = [
  [/\$__rate_interval/g, '30s'],
  [/\$job/g, '.*'],
  [/\$model/g, '.*'],
];
const SERVED = ['sparse-recovery', 'denoise-color-traffic'];
const READY_WITHIN_S = 90;

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly definition?: string }[] };
}

/** @returns a summary @throws where a query fails or has no result */
export async function checkDashboard(scratch: string): Promise<string> {
  const prometheus = fromDebian('prometheus', 'prometheus');
  const started: ChildProcess[] = [];
  try {
    const service = await startService(scratch, started);
    const server = await startPrometheus(prometheus, scratch, service, started);
    for (let second = 0; second < 14; second++) {
      await askService(service);
      await sleep(1000);
    }
    return await askQueries(server);
  } finally {
    await Promise.all(started.map(stop));
  }
}

async function startService(scratch: string, started: ChildProcess[]): Promise<string> {
  const models = join(scratch, 'models');
  for (const name of SERVED) cpSync(join('models', name), join(models, name), { recursive: true });
  const port = await freePort();
  const child = spawn(process.execPath, ['dist/main.js'], {
    env: {
      ...process.env,
      ...{ PORT: String(port), HOST: '127.0.0.1', MODELS_DIR: models },
      ...{ WORKERS: '1', EXECUTION_PROVIDER: 'cpu', LOG_LEVEL: 'warn' },
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  started.push(child);
  return untilReady(`http://127.0.0.1:${port}`, '/health/ready');
}

async function startPrometheus(
  program: string,
  scratch: string,
  service: string,
  started: ChildProcess[],
): Promise<string> {
  const folder = join(scratch, 'prometheus');
  mkdirSync(folder);
  const config = join(folder, 'prometheus.yml');
  const rules = readFileSync('deploy/prometheus/rules.yml', 'utf8');
  writeFileSync(join(folder, 'rules.yml'), rules.replace('interval: 30s', 'interval: 1s'));
  writeFileSync(
    config,
    [
      'global: { scrape_interval: 1s, evaluation_interval: 1s }',
      `rule_files: [${resolve(folder, 'rules.yml')}]`,
      'scrape_configs:',
      `  - { job_name: stopwise, static_configs: [{ targets: ['${new URL(service).host}'] }] }`,
    ].join('\n'),
  );
  const port = await freePort();
  const child = spawn(
    program,
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  started.push(child);
  return untilReady(`http://127.0.0.1:${port}`, '/-/ready');
}

async function askService(service: string): Promise<void> {
  const bodies = [
    ['recover', 'application/json', 'docs/samples/measurements.json'],
    ['denoise', 'image/png', 'docs/samples/noisy.png'],
  ] as const;
  for (const [route, type, file] of bodies) {
    const answer = await fetch(`${service}/v1/${route}`, {
      method: 'POST',
      headers: { 'content-type': type },
      body: new Uint8Array(readFileSync(file)),
    });
    if (!answer.ok) throw new Error(`${route} answered ${answer.status}: ${await answer.text()}`);
    await answer.arrayBuffer();
  }
}

async function askQueries(server: string): Promise<string> {
  const { panels, templating } = JSON.parse(
    readFileSync('deploy/grafana/dashboard.json', 'utf8'),
  ) as Dashboard;
  const queries = [
    ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr }))),
    ...templating.list.flatMap(({ definition = '' }) => {
      const [, series] = /^label_values\((.*), \w+\)$/.exec(definition) ?? [];
      return series === undefined ? [] : [{ title: 'a variable', expr: series }];
    }),
  ];
  const wrong: string[] = [];
  const planned: string[] = [];
  for (const { title, expr } of queries) {
    const query = variables.reduce((text, [name, value]) => text.replace(name, value), expr);
    const { error, data } = await ask<{ error?: string; data?: { result: unknown[] } }>(
      `${server}/api/v1/query?${new URLSearchParams({ query }).toString()}`,
    );
    if (error !== undefined) wrong.push(`${title}: ${error}: ${query}`);
    else if (data?.result.length) continue;
    else if (PLANNED.test(query)) planned.push(title);
    else if (!MAY_BE_EMPTY.some((pattern) => pattern.test(query)))
      wrong.push(`${title}: no result: ${query}`);
  }
  wrong.push(...(await wrongRules(server)));
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
  const waiting = planned.length > 0 ? `; no data yet for ${[...new Set(planned)].join(', ')}` : '';
  return `${queries.length} queries answered${waiting}`;
}

/** Rules that Prometheus could not evaluate, and alerts that a healthy service raises. */
async function wrongRules(server: string): Promise<string[]> {
  const { data } = await ask<{
    data: { groups: { rules: { name: string; health: string; state?: string }[] }[] };
  }>(`${server}/api/v1/rules`);
  return data.groups
    .flatMap(({ rules }) => rules)
    .filter(({ health, state }) => health === 'err' || state === 'firing')
    .map(({ name, health, state }) => `rule ${name}: ${state ?? health}`);
}

const ask = async <T>(url: string): Promise<T> => (await (await fetch(url)).json()) as T;

async function untilReady(base: string, path: string): Promise<string> {
  for (let left = READY_WITHIN_S * 2; left > 0; left--) {
    const ready = await fetch(base + path).then(
      ({ ok }) => ok,
      () => false,
    );
    if (ready) return base;
    await sleep(500);
  }
  throw new Error(`${base}${path} is not ready after ${READY_WITHIN_S} s.`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
