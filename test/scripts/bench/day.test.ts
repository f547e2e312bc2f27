import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  Autoscaler,
  byCpu,
  byPendingSeconds,
  byRate,
  chart,
} from '../../../scripts/bench/day/autoscaler.ts';
import { play, type Day } from '../../../scripts/bench/day/simulate.ts';
import { Random } from '../../../src/data/random.ts';

const seen = { replicas: 4, pendingSeconds: 4, busy: 0.5, rate: 20 };

describe('a scaling rule', () => {
  it('asks for as many replicas as meet its target', () => {
    expect(byPendingSeconds(0.5).desired(seen)).toBe(8);
    expect(byCpu(0.25).desired(seen)).toBe(8);
    expect(byRate(10).desired(seen)).toBe(2);
  });

  it('changes nothing within a tenth of its target', () => {
    expect(byPendingSeconds(1.05).desired(seen)).toBe(4);
    expect(byPendingSeconds(0.95).desired(seen)).toBe(4);
    expect(byPendingSeconds(0.85).desired(seen)).toBe(5);
  });
});

describe('the simulated chart', () => {
  const read = (file: string): string => readFileSync(`deploy/${file}`, 'utf8');

  it('has the bounds of the Helm chart, as KServe has', () => {
    const { autoscaling } = parse(read('helm/stopwise/values.yaml')) as { autoscaling: object };
    expect(autoscaling).toMatchObject({ minReplicas: chart.least, maxReplicas: chart.most });
    const { spec } = parse(read('kserve/inference-service.yaml')) as {
      spec: { predictor: object };
    };
    expect(spec.predictor).toMatchObject({ minReplicas: chart.least, maxReplicas: chart.most });
  });

  it('has its pace', () => {
    const template = read('helm/stopwise/templates/autoscaling.yaml');
    const [, behavior = ''] =
      /define "stopwise\.behavior" -}}\n([^]*?){{- end/.exec(template) ?? [];
    expect(parse(behavior)).toEqual({
      scaleUp: {
        stabilizationWindowSeconds: 0,
        policies: [{ type: 'Percent', value: 100, periodSeconds: chart.upPeriod }],
      },
      scaleDown: {
        stabilizationWindowSeconds: chart.stabilisation,
        policies: [{ type: 'Pods', value: 1, periodSeconds: chart.downPeriod }],
      },
    });
    expect(template).toContain(`pollingInterval: ${chart.period}\n`);
  });
});

describe('the autoscaler', () => {
  const always = (replicas: number) => ({ name: 'always', desired: () => replicas });

  it('doubles at most within 30 seconds, up to the most', () => {
    const scaler = new Autoscaler(always(100));
    let [current, before] = [3, [3, 3]];
    for (let at = 0; at < 300; at += chart.period) {
      current = scaler.look(seen, current, at);
      expect(current).toBeLessThanOrEqual(2 * before[0]!);
      before = [before[1]!, current];
    }
    expect(current).toBe(chart.most);
  });

  it('takes one away a minute, after five calm ones', () => {
    let wish = 6;
    const scaler = new Autoscaler({ name: 'falling', desired: () => wish });
    let current = 6;
    const ends = new Map<number, number>();
    for (let at = 0; at <= 900; at += chart.period) {
      if (at === 60) wish = 1;
      const wanted = scaler.look(seen, current, at);
      if (wanted < current) ends.set(at, wanted);
      current = wanted;
    }
    const times = [...ends.keys()];
    expect(times[0]).toBeGreaterThanOrEqual(60 + chart.stabilisation - chart.period);
    times.slice(1).forEach((at, i) => expect(at - times[i]!).toBeGreaterThanOrEqual(60));
    expect([...ends.values()]).toEqual([5, 4, 3, 2]);
  });
});

describe('a played day', () => {
  const day = (rate: number): Day => ({
    seconds: 1200,
    rate: () => rate,
    draw: () => ({ first: 0.05, policy: 0.2 }),
    limits: { samples: 1024, seconds: 4, workers: 2 },
    startSeconds: 30,
  });

  it('at a calm rate answers everything at once on the fewest replicas', () => {
    const { answered, refused, lowered, latencies, replicaHours } = play(
      day(1),
      byPendingSeconds(2),
      new Random(1),
    );
    expect({ refused, lowered }).toEqual({ refused: 0, lowered: 0 });
    expect(answered).toBeGreaterThan(1000);
    expect(latencies[0]).toBeCloseTo(0.2, 9);
    expect(latencies[Math.floor(answered / 2)]).toBeCloseTo(0.2, 9);
    expect(replicaHours).toBeCloseTo((chart.least * 1200) / 3600, 1);
  });

  it('adds replicas when work piles up, and lowers depth before it refuses', () => {
    const { replicas, lowered, latencies } = play(day(60), byPendingSeconds(2), new Random(1));
    expect(replicas.at(-1)!.count).toBeGreaterThanOrEqual(6);
    expect(lowered).toBeGreaterThan(0);
    expect(latencies.at(-1)).toBeLessThan(2.2);
  });

  it('refuses where no replica can be had, and holds no queue longer than the limit', () => {
    const fixed = { name: 'fixed', desired: () => 2 };
    const { refused, lowered, latencies } = play(day(100), fixed, new Random(1));
    expect(refused).toBeGreaterThan(0.2 * 100 * 1200);
    expect(lowered).toBeGreaterThan(0.9 * latencies.length);
    expect(latencies.at(-1)).toBeLessThan(2.2);
  });
});
