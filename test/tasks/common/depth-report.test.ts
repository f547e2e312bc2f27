import { expect, it } from 'vitest';
import { jsonAnswer, jsonRows } from '../../../src/tasks/common/depth-report.ts';
import type { RunResult } from '../../../src/engine/types.ts';

const result: RunResult = {
  model: 'm',
  maxDepth: 3,
  samples: [{ depth: 2, reason: 'policy', pi: [], outputs: {} }],
  timing: { queueMs: 0, computeMs: 1, totalMs: 1 },
};

it('writes long lists beside other work, as JSON.stringify would but with float32 digits', async () => {
  const rows = Array.from({ length: 1500 }, (_, i) =>
    Float32Array.from({ length: 500 }, (_, j) => Math.sin(i + j)),
  );
  let turns = 0;
  const count = (): void => {
    turns++;
    timer = setImmediate(count);
  };
  let timer = setImmediate(count);
  const json = await jsonRows(rows);
  clearImmediate(timer);
  expect(turns).toBeGreaterThan(3);
  const { body, headers } = jsonAnswer(result, { model: 'm' }, { name: 'signals', json });
  expect(headers['x-stop-depth']).toBe('2');
  const { model, signals } = JSON.parse(Buffer.from(body).toString()) as {
    model: string;
    signals: number[][];
  };
  expect(model).toBe('m');
  expect(signals).toHaveLength(1500);
  const isSame = (row: number[], i: number): boolean =>
    row.length === 500 && row.every((value, j) => Math.fround(value) === rows[i]![j]);
  expect(signals.every(isSame)).toBe(true);
});
