import { expect, it } from 'vitest';
import { Random } from '../../../src/data/random.ts';
import { measurementMatrix } from '../../../src/data/sparse-recovery.ts';
import { recoveryConditions } from '../../../src/tasks/sparse-recovery/test-data.ts';
import { singularValues } from '../../../src/families/matrix.ts';
import { ista, iterate, vamp } from '../../../scripts/paper/sparse-recovery/baselines.ts';
import { measurementsOf, qualitiesOf } from '../../../scripts/paper/sparse-recovery/setting.ts';

const matrix = measurementMatrix(60, 120, new Random(2));
const conditions = recoveryConditions(matrix, [30], 40, 5, { sparsity: 0.1 });
const measurements = measurementsOf(conditions);

it('ISTA is its formula; FISTA begins like it and then is ahead', async () => {
  const plain = await iterate(ista(matrix, 0.1, false), measurements, 40, 30);
  const fast = await iterate(ista(matrix, 0.1, true), measurements, 40, 30);
  const { rows, columns, data } = matrix;
  const size = 1 / singularValues(matrix).values[0]! ** 2;
  const soft = (x: number): number => Math.sign(x) * Math.max(Math.abs(x) - 0.1 * size, 0);
  let x = new Array<number>(columns).fill(0);
  for (let t = 0; t < 3; t++) {
    const residual = Array.from(
      { length: rows },
      (_, i) => measurements[i]! - x.reduce((sum, v, j) => sum + data[i * columns + j]! * v, 0),
    );
    x = x.map((v, j) =>
      soft(v + size * residual.reduce((sum, r, i) => sum + data[i * columns + j]! * r, 0)),
    );
    x.forEach((v, j) => expect(plain[t]![j]).toBeCloseTo(v, 4));
  }
  expect([...fast[0]!]).toEqual([...plain[0]!]);
  expect(Number(qualitiesOf(conditions, fast[29]!)[0])).toBeLessThan(
    Number(qualitiesOf(conditions, plain[29]!)[0]) - 2,
  );
});

it('VAMP with the true prior recovers what ISTA cannot', async () => {
  const signals = await iterate(vamp(matrix, 0.1), measurements, 40, 15);
  expect(Number(qualitiesOf(conditions, signals[14]!)[0])).toBeLessThan(-22);
});
