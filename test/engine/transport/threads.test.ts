/** Worker threads that end: by an error that nobody catches, and by an exit. processes.test.ts has aborts of processes. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Engine } from '../../../src/engine/engine.ts';
import { startSmallEngine } from '../../support/small.ts';

const entry = new URL('../../support/fragile-worker.mjs', import.meta.url);
let engine: Engine;
let said: string[];
beforeEach(async () => {
  said = [];
  const log = (message: string): void => void said.push(message);
  engine = await startSmallEngine({ entry, isolation: 'thread', log });
});
afterEach(() => engine.close());

const ask = async (task: string, body = ''): Promise<string> => {
  const { answer } = await engine.perform(() => ({
    request: { task, body: Buffer.from(body) },
    transfer: [],
  }));
  return new TextDecoder().decode(answer.body);
};

describe('a worker thread', () => {
  it('that throws is replaced, and what it held is asked again, once', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'stopwise-')), 'seen');
    const answers = await Promise.all([ask('fine'), ask('throw-once', file), ask('fine')]);
    expect(answers).toEqual(['answered', 'answered', 'answered']);
    expect(said.join('\n')).toMatch(
      /a worker ended \(Error: nobody catches this[^]*\); restarting it\nthe worker was restarted/,
    );
    expect(engine.workers).toBe(1);
    expect(engine.pending).toBe(0);
  }, 30_000);

  it.each([
    ['throws', 'throw', /nobody catches this/],
    ['exits', 'exit', /exit code 7/],
  ])(
    'that %s again in the same request fails it alone',
    async (_, task, reason) => {
      await expect(ask(task)).rejects.toThrow(/two workers ended during it/);
      expect(await ask('fine')).toBe('answered');
      expect(said.filter((line) => reason.test(line))).toHaveLength(2);
      expect(engine.workers).toBe(1);
      expect(engine.pending).toBe(0);
    },
    30_000,
  );
});
