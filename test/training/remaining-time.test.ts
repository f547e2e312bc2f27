import { expect, it } from 'vitest';
import { secondsAfter } from '../../src/training/loop.ts';

const stage = (steps: number, change: { minutes?: number; fillsTime?: boolean } = {}) => ({
  steps,
  fillsTime: false,
  ...change,
});
const NONE = [Infinity, Infinity, Infinity];

it('without a limit, later stages take their steps at the present speed, or the minutes that they name', () => {
  const stages = [stage(100), stage(50), stage(7, { minutes: 2 })];
  expect(secondsAfter(stages, 0, NONE, 10)).toBe(5 + 120);
  expect(secondsAfter(stages, 1, NONE, 10)).toBe(120);
  expect(secondsAfter(stages, 2, NONE, 10)).toBe(0);
});

it('leaves out stages without steps', () => {
  expect(secondsAfter([stage(100), stage(0), stage(20)], 0, NONE, 10)).toBe(2);
});

it('in a limited run a stage takes its share where it fills it, and otherwise at most its share', () => {
  const stages = [stage(1), stage(1, { fillsTime: true }), stage(1_000)];
  expect(secondsAfter(stages, 0, [10, 40, 60], 10)).toBe(30 + 20);
  expect(secondsAfter(stages, 0, [10, 40, 60], 100)).toBe(30 + 10);
});

it('is not known before the first step', () => {
  expect(secondsAfter([stage(1), stage(1)], 0, NONE, 0)).toBe(Infinity);
});
