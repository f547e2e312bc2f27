/** How Kubernetes scales a deployment: the rule of a HorizontalPodAutoscaler, with the behaviour of the Helm chart. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** What the autoscaler looks at, over the ready replicas. */
export interface Seen {
  readonly replicas: number;
  /** Highest `stopwise_pending_seconds` of each replica in the last 30 s, summed, s. */
  readonly pendingSeconds: number;
  /** Share of the workers' time that was busy, 0 to 1, mean of the replicas. */
  readonly busy: number;
  /** Requests that came in, 1/s. */
  readonly rate: number;
}

/** A scaling signal and its target. */
export interface ScalingRule {
  readonly name: string;
  /** The replicas that would meet the target. */
  desired(seen: Seen): number;
}

/** Ratios closer to 1 than this change nothing (Kubernetes' default). */
const TOLERANCE = 0.1;

const tolerant = (ratio: number, replicas: number): number =>
  Math.abs(ratio - 1) <= TOLERANCE ? replicas : Math.ceil(ratio * replicas);

/** A value over all replicas, and how much of it one may have. */
const total = (name: string, of: (seen: Seen) => number, each: number): ScalingRule => ({
  name,
  desired: (seen) => tolerant(of(seen) / (each * seen.replicas), seen.replicas),
});

export const byPendingSeconds = (each: number): ScalingRule =>
  total(`pending seconds, ${each} s each`, ({ pendingSeconds }) => pendingSeconds, each);

export const byRate = (each: number): ScalingRule =>
  total(`request rate, ${each.toPrecision(2)}/s each`, ({ rate }) => rate, each);

export const byCpu = (target: number): ScalingRule => ({
  name: `CPU, ${100 * target} %`,
  desired: ({ busy, replicas }) => tolerant(busy / target, replicas),
});

const values = parse(readFileSync('deploy/helm/stopwise/values.yaml', 'utf8')) as {
  readonly autoscaling: { readonly minReplicas: number; readonly maxReplicas: number };
};

/** Bounds and pace of the Helm chart: doubled within 30 s, one fewer within a minute and only after five calm ones. */
export const chart = {
  least: values.autoscaling.minReplicas,
  most: values.autoscaling.maxReplicas,
  period: 15,
  upPeriod: 30,
  downPeriod: 60,
  stabilisation: 300,
};

/** Turns what a rule desires into replicas, one look after another. */
export class Autoscaler {
  private readonly wishes: { readonly at: number; readonly replicas: number }[] = [];
  private readonly history: { readonly at: number; readonly replicas: number }[] = [];

  constructor(private readonly rule: ScalingRule) {}

  /** The replicas to run from now on. @param current those that run or start @param at s */
  look(seen: Seen, current: number, at: number): number {
    const wish = Math.min(chart.most, Math.max(chart.least, this.rule.desired(seen)));
    this.wishes.push({ at, replicas: wish });
    this.history.push({ at, replicas: current });
    const recent = this.wishes.filter((one) => one.at > at - chart.stabilisation);
    const calm = Math.max(...recent.map(({ replicas }) => replicas));
    if (wish > current) return Math.min(wish, 2 * this.lowest(at - chart.upPeriod));
    if (calm < current) return Math.max(calm, this.highest(at - chart.downPeriod) - 1);
    return current;
  }

  private since(from: number): number[] {
    return this.history.filter(({ at }) => at > from).map(({ replicas }) => replicas);
  }
  private readonly lowest = (from: number): number => Math.min(...this.since(from));
  private readonly highest = (from: number): number => Math.max(...this.since(from));
}
