/** Predicts compute: measured segment times, times the share of samples that now go as far as each segment. */
import { FLOAT, type Manifest } from '../../bundle/manifest.ts';
import type { StoppingParameters } from '../../stopping/parameters.ts';
import { at } from '../../util/at.ts';
import type { LoadedModel } from './models.ts';

/** Weight of the newest sample in the running shares: some fifty samples tell of a change. */
const NEWEST_WEIGHT = 0.05;

interface Timed {
  readonly segments: readonly { readonly msPerElement: number }[];
}

/** The parts of a loaded model that a prediction needs. */
export type Predictable = Timed &
  Pick<LoadedModel, 'firstExit'> & {
    readonly manifest: Pick<Manifest, 'name' | 'depth' | 'exits'>;
    readonly variants: readonly (Timed & { readonly name: string })[];
  };

/** How the samples of a model run that take one variant, or float. */
interface Taken {
  /** The share of all samples; of float it is what variants leave. */
  share: number;
  /** For each exit the share of these samples that run on to it; 1 before any was answered. */
  readonly reached: number[];
}

/** Keeps, for each model, which variants its samples take and how deep they go. */
export class Predictor {
  /** By model and its exits, then by variant. */
  private readonly models = new Map<string, Map<string, Taken>>();

  /** Records the depths at which samples of a model stopped. @param variants that they ran in; default: float */
  observe(
    manifest: Predictable['manifest'],
    depths: readonly number[],
    variants: readonly string[] = [],
  ): void {
    const forms = this.formsOf(manifest);
    for (const [sample, depth] of depths.entries()) {
      const variant = variants[sample] ?? FLOAT;
      const { reached } = takenOf(forms, variant, manifest);
      for (const [name, form] of forms)
        form.share += NEWEST_WEIGHT * (Number(name === variant) - form.share);
      manifest.exits.forEach((exit, i) => {
        reached[i] = at(reached, i) + NEWEST_WEIGHT * (Number(depth >= exit) - at(reached, i));
      });
    }
  }

  /**
   * Predicted compute, ms.
   * @param elements numbers in the inputs of all samples together
   * @param cap the exit, from 0, that load lets no sample pass; Infinity without load
   */
  ms(
    { manifest, segments, variants, firstExit }: Predictable,
    elements: number,
    { depth, maxDepth, minDepth = 0 }: StoppingParameters = {},
    cap = Number.POSITIVE_INFINITY,
  ): number {
    const forms = this.formsOf(manifest);
    const most = depth ?? maxDepth ?? manifest.depth;
    const least = depth ?? minDepth;
    const perElement = (of: Timed['segments'], { reached }: Taken): number =>
      of.reduce((sum, { msPerElement }, i) => {
        const exit = at(manifest.exits, i + firstExit);
        if (exit > most || i + firstExit > cap) return sum;
        return sum + msPerElement * (exit <= least ? 1 : at(reached, i + firstExit));
      }, 0);
    let [sum, left] = [0, 1];
    for (const variant of variants) {
      const taken = takenOf(forms, variant.name, manifest);
      sum += taken.share * perElement(variant.segments, taken);
      left -= taken.share;
    }
    sum += left * perElement(segments, takenOf(forms, FLOAT, manifest));
    return sum * elements;
  }

  private formsOf({ name, exits }: Predictable['manifest']): Map<string, Taken> {
    // Another bundle of the name may have other exits.
    const key = `${name} ${exits.join()}`;
    const known = this.models.get(key) ?? new Map<string, Taken>();
    this.models.set(key, known);
    return known;
  }
}

/** Before any sample was answered all run in float, to full depth. */
function takenOf(
  forms: Map<string, Taken>,
  variant: string,
  { exits }: Predictable['manifest'],
): Taken {
  const known = forms.get(variant);
  if (known) return known;
  const reached = new Array<number>(exits.length).fill(1);
  const fresh: Taken = { share: 0, reached };
  forms.set(variant, fresh);
  return fresh;
}
