/** The bundles that an engine serves, and their replacement while requests run: every worker opens the new one before any uses it. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../bundle/manifest.ts';
import { FOLDER_NAME, loadBundle, type Bundle, type Refusal } from '../bundle/read.ts';
import { Problem, shortened } from '../errors.ts';
import { messageOf } from '../util/message-of.ts';
import { addRefusal, withDefaults, type EngineOptions, type Pool, type Present } from './pool.ts';
import { NO_WORKER, type WorkerSlot } from './supervisor.ts';
import type { FromWorker, Measured } from './transport/messages.ts';

type Opened = Extract<FromWorker, { type: 'opened' | 'unopened' }>;

/** Keeps the bundles that are served. Changes happen one after the other, each for all workers or for none. */
export class Repository {
  /** By name; the same map for the life of the engine. */
  readonly manifests = new Map<string, Manifest>();
  readonly refused: Refusal[];
  /** Names of models that were served and then unloaded. */
  readonly unloaded = new Set<string>();
  private bundles: readonly Bundle[];
  private measured: readonly Measured[];
  private generation = 0;
  private changing: Promise<unknown> = Promise.resolve();
  private readonly listeners: ((name: string) => void)[] = [];
  /** Waits for the worker that is opening a bundle. */
  private opening:
    | { readonly slot: WorkerSlot; readonly generation: number; settle(answer: Opened): void }
    | undefined;

  /** @param workers those that are alive */
  constructor(
    pool: Pick<Pool, 'bundles' | 'measured' | 'refused'>,
    private readonly options: Pick<EngineOptions, 'modelsDir' | 'check' | 'log'>,
    private readonly workers: () => readonly WorkerSlot[],
  ) {
    this.refused = [...pool.refused];
    this.measured = pool.measured;
    this.bundles = pool.bundles;
    this.list();
  }

  /** Calls back when a model was loaded or unloaded, before that is answered. */
  onChange(listener: (name: string) => void): void {
    this.listeners.push(listener);
  }

  /** What a worker that starts now has to serve. */
  get present(): Present {
    return { bundles: withDefaults(this.bundles), measured: this.measured };
  }

  /**
   * Reads the folder of a model, opens and warms it up in every worker, and serves it to the requests that come then, in
   * place of the bundle of that name, if any. Requests in progress finish on that one.
   * @throws Problem `unknown-model` where there is no such folder, `load-refused` with the reason where the bundle fails;
   * what was served is served on
   */
  load(name: string): Promise<Manifest> {
    return this.inTurn(async () => {
      try {
        const bundle = await this.read(name);
        const measured = await this.openEverywhere(bundle);
        this.measured = [...this.measured.filter(({ model }) => model !== name), measured];
        const others = this.bundles.filter(({ manifest }) => manifest.name !== name);
        // The default that was loaded last counts; it comes first.
        this.serve(bundle.manifest.default ? [bundle, ...others] : [...others, bundle]);
        this.forget(name);
        this.listeners.forEach((changed) => changed(name));
        this.options.log?.(`the model ${name} is loaded: version ${bundle.manifest.version}`);
        return bundle.manifest;
      } catch (error) {
        if (error instanceof Problem) throw error;
        // Workers free what they have opened.
        this.serve(this.bundles);
        const reason = messageOf(error);
        this.forget(name);
        const isReplacement = this.manifests.has(name);
        addRefusal(this.refused, { name, reason, isReplacement }, this.options.log);
        throw new Problem('load-refused', reason, { cause: error });
      }
    });
  }

  /** Serves a model no longer. Requests in progress finish. @throws Problem `unknown-model` */
  unload(name: string): Promise<void> {
    return this.inTurn(async () => {
      if (!this.manifests.has(name))
        throw new Problem('unknown-model', `There is no model ${shortened(name)} to unload.`);
      this.serve(this.bundles.filter(({ manifest }) => manifest.name !== name));
      this.forget(name);
      this.unloaded.add(name);
      this.listeners.forEach((changed) => changed(name));
      this.options.log?.(`the model ${name} is unloaded`);
      return Promise.resolve();
    });
  }

  /** A worker has opened a bundle, or could not: one that is being loaded, or one with its first request. */
  receive(
    slot: WorkerSlot,
    message: Opened | Extract<FromWorker, { type: 'refused' | 'measured' }>,
  ): void {
    const { opening, refused, options } = this;
    if (message.type === 'refused') addRefusal(refused, message.refusal, options.log);
    else if (message.type === 'measured') this.learn(message);
    else if (opening?.slot === slot && opening.generation === message.generation)
      opening.settle(message);
  }

  /** The first measurement of a bundle that is still served counts. */
  private learn({ generation, measured }: Extract<FromWorker, { type: 'measured' }>): void {
    const { model } = measured;
    const isServed = this.bundles.some(
      (bundle) => bundle.manifest.name === model && bundle.generation === generation,
    );
    if (isServed && !this.measured.some((one) => one.model === model))
      this.measured = [...this.measured, measured];
  }

  /** Why a variant of a model is not used; undefined where it is. */
  variantDeclined(model: string, variant: string): string | undefined {
    const measured = this.measured.find((one) => one.model === model);
    if (!measured) return 'the model is not open yet: its first request opens it';
    const known = measured.variants?.find(({ name }) => name === variant);
    return known ? known.declined : 'it was not measured';
  }

  /** A worker ended: it will open nothing more. */
  ended(slot: WorkerSlot, reason: string): void {
    if (this.opening?.slot === slot)
      this.opening.settle({
        type: 'unopened',
        reason: `a worker ended while it opened the bundle (${reason})`,
      });
  }

  /** A worker started while the bundles may have changed. */
  update({ handle }: WorkerSlot): void {
    if (this.generation > 0 || this.unloaded.size > 0)
      handle.post({ type: 'serve', bundles: this.present.bundles });
  }

  private inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.changing.then(change);
    this.changing = done.catch(() => undefined);
    return done;
  }

  private async read(name: string): Promise<Bundle> {
    const { modelsDir, check } = this.options;
    if (!FOLDER_NAME.test(name))
      throw new Problem('unknown-model', `${shortened(name)} cannot be the name of a model.`);
    const directory = join(modelsDir, name);
    const isThere = await stat(directory).then(
      (found) => found.isDirectory(),
      () => false,
    );
    if (!isThere)
      throw new Problem('unknown-model', `There is no folder ${name} in the folder of models.`);
    const bundle = await loadBundle(directory, check);
    return { ...bundle, generation: ++this.generation };
  }

  /** One worker after the other, so that the others go on serving; the first one measures. */
  private async openEverywhere(bundle: Bundle): Promise<Measured> {
    let measured: Measured | undefined;
    const done = new Set<WorkerSlot['handle']>();
    for (;;) {
      // Looked up each time: a worker may be restarted meanwhile.
      const slot = this.workers().find(({ handle }) => !done.has(handle));
      if (!slot) break;
      done.add(slot.handle);
      const answer = await this.openIn(slot, bundle, measured);
      if (answer.type === 'unopened') throw new Error(answer.reason);
      measured ??= answer.measured;
    }
    if (!measured) throw new Error(`${NO_WORKER}; try again`);
    return measured;
  }

  private async openIn(
    slot: WorkerSlot,
    bundle: Bundle,
    measured: Measured | undefined,
  ): Promise<Opened> {
    const { generation = 0 } = bundle;
    const answer = new Promise<Opened>((settle) => (this.opening = { slot, generation, settle }));
    slot.handle.post({ type: 'open', bundle, ...(measured && { measured }) });
    return answer.finally(() => (this.opening = undefined));
  }

  /** In one turn of the event loop: whatever is sent to a worker afterwards finds the new bundles. */
  private serve(bundles: readonly Bundle[]): void {
    this.bundles = bundles;
    this.list();
    const { bundles: served } = this.present;
    for (const { handle } of this.workers()) handle.post({ type: 'serve', bundles: served });
  }

  private list(): void {
    this.manifests.clear();
    for (const { manifest } of this.present.bundles) this.manifests.set(manifest.name, manifest);
  }

  private forget(name: string): void {
    this.unloaded.delete(name);
    const rest = this.refused.filter((one) => one.name !== name);
    this.refused.splice(0, this.refused.length, ...rest);
  }
}
