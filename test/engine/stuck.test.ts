/** Workers that block for ever: found after ten seconds, given up, and what they held is done elsewhere. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import { startSmallEngine } from '../support/small.ts';

const entry = new URL('../support/wedging-worker.mjs', import.meta.url);
let engine: Engine | undefined;
afterEach(() => engine?.close());

const ask = async (task: string): Promise<string> => {
  const { answer } = await engine!.perform(() => ({ request: { task }, transfer: [] }));
  return new TextDecoder().decode(answer.body);
};

describe('a stuck worker', () => {
  it('that is a process is killed and replaced; its other requests are answered', async () => {
    const said: string[] = [];
    engine = await startSmallEngine({
      entry,
      isolation: 'process',
      log: (message) => said.push(message),
    });
    const wedged = expect(ask('wedge')).rejects.toThrow('a worker was stuck in this request');
    const behind = [ask('fine'), ask('fine')];
    await wedged;
    expect(await Promise.all(behind)).toEqual(['answered', 'answered']);
    expect(said.join()).toMatch(/a worker is stuck; it is killed.*restarted/);
    expect(engine.workers).toBe(1);
  }, 60_000);

  it('that is a thread is abandoned, and the service is told to end', async () => {
    const stuck = vi.fn();
    engine = await startSmallEngine({ entry, workers: 2 }, { stuck });
    const wedged = expect(ask('wedge')).rejects.toThrow('a worker was stuck in this request');
    const others = Array.from({ length: 4 }, () => ask('fine'));
    await wedged;
    expect(await Promise.all(others)).toEqual(['answered', 'answered', 'answered', 'answered']);
    expect(stuck).toHaveBeenCalledOnce();
    expect(engine.workers).toBe(1);
    expect(await ask('fine')).toBe('answered');
  }, 60_000);
});
