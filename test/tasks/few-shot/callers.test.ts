/** Five characters of Omniglot in one drawing each and 20 queries, as callers sent them, through the shipped model. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Engine } from '../../../src/engine/engine.ts';
import { startEngine } from '../../../src/evaluation/measure.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine('models', ['few-shot-omniglot']);
});
afterAll(() => engine.close());

const TRUTH = ['c267', 'c215', 'c113', 'c130', 'c356'].flatMap((label) => Array<string>(4).fill(label)); // prettier-ignore

/** POST /v1/few-shot. @returns the classes, and the label of every query */
async function answerTo(name: string): Promise<{ labels: string[]; found: string[] }> {
  const request = {
    task: 'few-shot',
    contentType: 'application/json',
    body: await readFile(new URL(`cases/${name}.json`, import.meta.url)),
    options: {},
    stopping: {},
  };
  const { answer } = await engine.perform(() => ({ request, transfer: [] }));
  const { labels, predictions } = JSON.parse(Buffer.from(answer.body).toString()) as {
    labels: string[];
    predictions: { label: string }[];
  };
  return { labels, found: predictions.map(({ label }) => label) };
}

const right = (found: readonly string[]): number =>
  found.filter((label, i) => label === TRUTH[i]).length;

it.each([
  ['black ink on white', 'black-on-white', 20],
  ['white ink on black', 'white-on-black', 19],
  ['both mixed', 'mixed-polarity', 19],
])('names the characters in %s', async (_, name, least) => {
  const { found } = await answerTo(name);
  expect(found).toHaveLength(20);
  expect(right(found)).toBeGreaterThanOrEqual(least);
});

it('takes A and a for two classes', async () => {
  const { labels, found } = await answerTo('labels-a-a');
  expect(labels).toEqual(expect.arrayContaining(['A', 'a']));
  expect(new Set(labels).size).toBe(labels.length);
  expect(found.every((label) => labels.includes(label))).toBe(true);
});
