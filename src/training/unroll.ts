import { layersOf, type Family, type Values } from '../families/family.ts';
import type { Value } from '../graph/value.ts';

/** Graph values of a family at its exits. */
export interface Unrolled {
  /** The outputs at every exit, in order. */
  readonly outputs: readonly Values[];
  /** Inputs and states at every exit. */
  readonly reads: readonly Values[];
  /** The logit of π at every exit but the last, each [N]. */
  readonly logits: readonly Value[];
}

/** The whole path as one graph with the outputs of every exit, for training and for tests. */
export function unroll(family: Family, inputs: Values): Unrolled {
  const outputs: Values[] = [];
  const reads: Values[] = [];
  const logits: Value[] = [];
  let read: Values = inputs;
  for (const t of layersOf(family)) {
    read = { ...read, ...family.layer(t, read) };
    if (!family.exits.includes(t)) continue;
    reads.push(read);
    outputs.push(family.decode ? family.decode(t, read) : read);
    if (t < family.depth) logits.push(family.policy(t, read));
  }
  return { outputs, reads, logits };
}
