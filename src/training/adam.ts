import Type, { type Static } from 'typebox';
import { square } from '../graph/functions.ts';
import { add, div, input, min, mul, reduceSum, scalar, sqrt, sub } from '../graph/operators.ts';
import type { Value } from '../graph/value.ts';
import { orthogonalised } from './orthogonalised.ts';

/** Muon (Jordan 2024): momentum, brought to singular values of about one. It keeps only the momentum. */
const muonSchema = Type.Object({
  /** The rate, in units of Adam's. */
  rate: Type.Number(),
  momentum: Type.Number(),
  weightDecay: Type.Number(),
});
/** Options of Muon: rate in units of Adam's, momentum and decoupled weight decay. */
export type MuonOptions = Static<typeof muonSchema>;

/** A rate of 25 times Adam's, momentum 0.9, weight decay 0.05. */
export const defaultMuon: MuonOptions = { rate: 25, momentum: 0.9, weightDecay: 0.05 };

const fullAdamSchema = Type.Object({
  beta1: Type.Number(),
  beta2: Type.Number(),
  epsilon: Type.Number(),
  /** Decoupled weight decay (Loshchilov & Hutter 2019). */
  weightDecay: Type.Number(),
  /** The largest global norm of the gradients; longer gradients are scaled down to it. */
  clipNorm: Type.Number(),
  /** Kernels of convolutions [K,C,k,k] take orthogonalised steps instead (Muon), where given. */
  kernels: Type.Optional(Type.Object(muonSchema.properties, { default: defaultMuon })),
});
/** Options of an optimiser step; `kernels` turns on Muon for convolution kernels. */
export type AdamOptions = Static<typeof fullAdamSchema>;

/** The values of Kingma & Ba (2015) without weight decay; gradients are clipped to a norm of 1. */
export const defaultAdam: AdamOptions = {
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  clipNorm: 1,
};

/** Any of the options; the others have their defaults. */
export const adamSchema = Type.Partial(fullAdamSchema, { default: defaultAdam });

/** The graph values that a step computes. */
export interface AdamStep {
  /** New values of each parameter NAME and of its moments `m:NAME`, `v:NAME`, by the name of the input they replace. */
  readonly next: Record<string, Value>;
  /** The global norm of the gradients before clipping, []. */
  readonly norm: Value;
}

/**
 * One step of Adam (Kingma & Ba 2015) with decoupled decay, as a graph. Further inputs are `rate`, the bias corrections
 * 1 − βᵢᵗ as `correction-1` and `correction-2`, and the moments `m:NAME` and `v:NAME`. A kernel with orthogonalised steps
 * has its momentum in `m:NAME` and no `v:NAME`.
 */
export function adamStep(
  parameters: ReadonlyMap<string, Value>,
  gradients: ReadonlyMap<string, Value>,
  { beta1, beta2, epsilon, weightDecay, clipNorm, kernels }: AdamOptions,
): AdamStep {
  const [rate, correction1, correction2] = ['rate', 'correction-1', 'correction-2'].map((name) =>
    input(name, []),
  );
  const squares = [...gradients.values()].map((g) => reduceSum(square(g)));
  const norm = sqrt(squares.reduce(add));
  const scale = min(scalar(1), div(clipNorm, add(norm, 1e-12)));
  const next: Record<string, Value> = {};
  for (const [name, p] of parameters) {
    const g = mul(gradients.get(name)!, scale);
    if (kernels && p.shape.length === 4) {
      const m = add(mul(input(`m:${name}`, p.shape), kernels.momentum), g);
      const direction = orthogonalised(add(mul(m, kernels.momentum), g));
      next[name] = sub(
        p,
        mul(add(direction, mul(p, kernels.weightDecay)), mul(rate!, kernels.rate)),
      );
      next[`m:${name}`] = m;
      continue;
    }
    const m = add(mul(input(`m:${name}`, p.shape), beta1), mul(g, 1 - beta1));
    const v = add(mul(input(`v:${name}`, p.shape), beta2), mul(square(g), 1 - beta2));
    const direction = div(div(m, correction1!), add(sqrt(div(v, correction2!)), epsilon));
    next[name] = sub(p, mul(add(direction, mul(p, weightDecay)), rate!));
    next[`m:${name}`] = m;
    next[`v:${name}`] = v;
  }
  return { next, norm };
}
