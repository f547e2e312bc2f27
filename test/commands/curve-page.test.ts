import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CurvePage } from '../../src/commands/curve-page.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stopwise-curve-'));
});
afterAll(() => rm(folder, { recursive: true }));

const state = (stage: string, progress: number, loss: number) => ({
  ...{ stage, progress, loss },
  ...{ step: Math.round(1000 * progress), stepsPerSecond: 2, secondsLeft: 60 },
  totalSecondsLeft: 150,
});

/** The points of each stage's line, [x, y] from the top left. */
const linesOf = (text: string): number[][][] =>
  [...text.matchAll(/<polyline points="([^"]*)"/g)].map(([, points]) =>
    points!.split(' ').map((point) => point.split(',').map(Number)),
  );

it('shows the loss of each stage, loads itself again while training runs, and says what is left', async () => {
  const page = new CurvePage('own', folder);
  page.update(state('stage-1, preparing', 0.5, Number.NaN));
  for (let i = 0; i <= 1000; i++) page.update(state('stage-1', i / 1000, 5 - (4 * i) / 1000));
  page.update(state('stage-2', 0.1, 0.7));
  const during = await readFile(page.file, 'utf8');
  expect(during).toMatch(/http-equiv="refresh"/);
  page.close();
  const text = await readFile(page.file, 'utf8');
  expect(text).not.toMatch(/http-equiv="refresh"/);
  expect([...text.matchAll(/<h2>([^<]*)/g)].map(([, title]) => title)).toEqual([
    'stage-1, 100 %',
    'stage-2, 10 %',
  ]);
  expect(text).toContain('step 1000, loss 1.000');
  expect(text).toContain('about 3 min left in all');
  const [first] = linesOf(text);
  expect(first!.length).toBeLessThanOrEqual(401);
  expect(first!.length).toBeGreaterThan(300);
  // A falling loss falls on the screen, where y grows downwards.
  const rises = first!.filter(([, y], i) => i > 0 && y! < first![i - 1]![1]!);
  expect(rises).toEqual([]);
  expect(first![0]![1]).toBeLessThan(20);
  expect(first!.at(-1)![1]).toBeGreaterThan(220);
});

it('writes nothing where no step was taken', async () => {
  const page = new CurvePage('none', join(folder, 'missing'));
  page.update(state('stage-1', 0, Number.NaN));
  page.close();
  await expect(readFile(page.file)).rejects.toThrow();
});
