import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkGrafana, mounts, onHost } from '../../../scripts/deploy/compose.ts';
import { runSteps, type Step } from '../../../scripts/deploy/steps.ts';
import { Unavailable } from '../../../scripts/deploy/tools.ts';

describe('the steps', () => {
  const right: Step = () => 'valid';
  const wrong: Step = () => Promise.reject(new Error('a rule is wrong'));
  const missing: Step = () => {
    throw new Unavailable('helm is missing');
  };
  const outcome = async (steps: Record<string, Step>, strict: boolean) => {
    const lines: string[] = [];
    const status = await runSteps(steps, strict, (line) => lines.push(line));
    return { status, text: lines.join('\n'), last: lines.at(-1) };
  };

  it('are counted, and all run whatever becomes of the others', async () => {
    const { status, text, last } = await outcome({ a: wrong, b: missing, c: right }, false);
    expect(status).toBe(1);
    expect(last).toBe('1 passed, 1 skipped, 1 failed');
    expect(text).toMatch(/— a: FAILED\na rule is wrong/);
    expect(text).toMatch(/— b: skipped, helm is missing/);
    expect(text).toMatch(/— c: valid/);
  });

  it('may be skipped, but not where the check is strict', async () => {
    expect(await outcome({ b: missing, c: right }, false)).toMatchObject({
      status: 0,
      last: '1 passed, 1 skipped, 0 failed',
    });
    expect((await outcome({ b: missing, c: right }, true)).status).toBe(1);
    expect((await outcome({ c: right }, true)).status).toBe(0);
  });
});

describe('the compose file', () => {
  let folder: string;
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'deploy-')), 'deploy');
    cpSync('deploy', folder, { recursive: true });
  });
  afterEach(() => rmSync(join(folder, '..'), { recursive: true }));

  const edit = (file: string, from: string, to: string): void => {
    const before = readFileSync(join(folder, file), 'utf8');
    expect(before).toContain(from);
    writeFileSync(join(folder, file), before.replace(from, to));
  };

  it('mounts files that exist, where their readers look', () => {
    const mounted = mounts(folder);
    expect(mounted.get('/etc/prometheus/rules.yml')).toBe(join(folder, 'prometheus/rules.yml'));
    expect(onHost('rule_files: [/etc/prometheus/rules.yml]', mounted)).toBe(
      `rule_files: [${resolve(folder, 'prometheus/rules.yml')}]`,
    );
    rmSync(join(folder, 'prometheus/rules.yml'));
    expect(() => mounts(folder)).toThrow(/rules\.yml is missing/);
  });

  it('gives Grafana a data source and a dashboard', () => {
    expect(checkGrafana(folder)).toBe('1 data source, 1 dashboard');
  });

  const datasources = 'grafana/provisioning/datasources/prometheus.yml';
  const providers = 'grafana/provisioning/dashboards/stopwise.yml';
  it.each([
    ['an unknown service', datasources, 'http://prometheus:', 'http://prometeus:', /url of a ser/],
    ['another type', datasources, 'type: prometheus', 'type: loki', /type prometheus/],
    ['a misspelt list', datasources, 'datasources:', 'datasource:', /list datasources/],
    ['another version', providers, 'apiVersion: 1', 'apiVersion: 3', /apiVersion 1/],
    ['a misspelt type', providers, 'type: file', 'type: flie', /type file/],
    ['an empty folder', providers, 'grafana/dashboards', 'grafana/boards', /No dashboard is moun/],
    [
      'a wrong source',
      'grafana/dashboard.json',
      '"uid": "${datasource}"',
      '"uid": "x"',
      /source x/,
    ],
    [
      'no choice',
      'grafana/dashboard.json',
      '"query": "prometheus"',
      '"query": "loki"',
      /no data s/,
    ],
  ])('is refused with %s', (_, file, from, to, message) => {
    edit(file, from, to);
    expect(() => checkGrafana(folder)).toThrow(message);
  });
});
