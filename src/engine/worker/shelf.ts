/** The models of a worker: those that are open, and those that are opened by their first request. */
import type { Bundle, Refusal } from '../../bundle/read.ts';
import type { Manifest } from '../../bundle/manifest.ts';
import { Problem } from '../../errors.ts';
import { messageOf } from '../../util/message-of.ts';
import type { LoadedModel } from './models.ts';

/** Models by name. A bundle that fails when it is opened stays refused. */
export class Shelf {
  readonly manifests: ReadonlyMap<string, Manifest>;
  private readonly bundles: ReadonlyMap<string, Pick<Bundle, 'directory' | 'manifest'>>;
  private readonly opened: Map<string, Promise<LoadedModel>>;

  /**
   * @param open opens a bundle and warms it up
   * @param refuse is told once of a bundle that cannot be opened
   */
  constructor(
    loaded: ReadonlyMap<string, LoadedModel>,
    unopened: readonly Bundle[],
    private readonly open: (bundle: Bundle) => Promise<LoadedModel>,
    private readonly refuse: (refusal: Refusal) => void,
  ) {
    this.bundles = new Map(
      [...loaded.values(), ...unopened].map((one) => [one.manifest.name, one] as const),
    );
    this.manifests = new Map([...this.bundles].map(([name, { manifest }]) => [name, manifest]));
    this.opened = new Map([...loaded].map(([name, model]) => [name, Promise.resolve(model)]));
  }

  /** The folder of a model. @throws Problem `unknown-model` */
  directory(name: string): string {
    return this.bundle(name).directory;
  }

  /** The model, opened where it is not. @throws Problem `unknown-model`, or `bundle-refused` where it cannot be opened */
  async model(name: string): Promise<LoadedModel> {
    const known = this.opened.get(name);
    if (known) return known;
    const opening = this.open(this.bundle(name)).catch((error: unknown) => {
      this.refuse({ name, reason: messageOf(error) });
      throw new Problem(
        'bundle-refused',
        `The model ${name} failed its checks; the log says why.`,
        { cause: error },
      );
    });
    this.opened.set(name, opening);
    return opening;
  }

  private bundle(name: string): Pick<Bundle, 'directory' | 'manifest'> {
    const bundle = this.bundles.get(name);
    if (bundle) return bundle;
    const names = [...this.bundles.keys()].join(', ');
    throw new Problem('unknown-model', `There is no model ${name}; the models are ${names}.`);
  }
}
