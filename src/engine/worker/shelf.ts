/** The models of a worker: those that are open, those that their first request opens, and their replacement while requests run. */
import { readVerified, type Bundle, type Refusal } from '../../bundle/read.ts';
import type { Manifest } from '../../bundle/manifest.ts';
import { Problem } from '../../errors.ts';
import { messageOf } from '../../util/message-of.ts';
import type { Measured } from '../transport/messages.ts';
import type { LoadedModel } from './models.ts';

/** What a shelf does with bundles and models. */
export interface ShelfActions {
  /** Opens a bundle and warms it up. @param measured what another worker has measured */
  open(bundle: Bundle, measured?: Measured): Promise<LoadedModel>;
  /** Is told once of a bundle that cannot be opened. */
  refuse(refusal: Refusal): void;
  /** Frees a model that no request uses any more. */
  release(model: LoadedModel): void;
}

/** A bundle, the model once it was opened, and its task files, verified and kept. */
class Book {
  readonly files = new Map<string, Promise<Uint8Array>>();

  constructor(
    readonly bundle: Bundle,
    public model?: Promise<LoadedModel>,
  ) {}

  /** Whether it is the bundle; which one is the default may have changed since. */
  holds({ manifest, generation }: Bundle): boolean {
    return this.bundle.manifest.name === manifest.name && this.bundle.generation === generation;
  }

  /** Reads the task files now: the folder may be replaced while the bundle is served. */
  async keepFiles(): Promise<void> {
    await Promise.all(this.bundle.manifest.task_files.map((file) => this.file(file)));
  }

  file(name: string): Promise<Uint8Array> {
    const known = this.files.get(name);
    if (known) return known;
    const content = readVerified(this.bundle.directory, this.bundle.manifest, name);
    content.catch(() => this.files.delete(name));
    this.files.set(name, content);
    return content;
  }

  /** The files are read first: a model that was opened is always kept. */
  async open(actions: ShelfActions, measured?: Measured): Promise<LoadedModel> {
    await this.keepFiles();
    return actions.open(this.bundle, measured);
  }
}

/** The models that a request may choose from. A request keeps to one set, so that it never mixes two bundles of a name. */
export class ModelSet {
  readonly manifests: ReadonlyMap<string, Manifest>;
  /** Requests that keep to it. */
  users = 0;

  constructor(
    readonly books: ReadonlyMap<string, Book>,
    bundles: readonly Bundle[],
    private readonly actions: ShelfActions,
  ) {
    this.manifests = new Map(bundles.map(({ manifest }) => [manifest.name, manifest]));
  }

  /** The model, opened where it is not. @throws Problem `unknown-model`, or `bundle-refused` where it cannot be opened */
  async model(name: string): Promise<LoadedModel> {
    const book = this.book(name);
    book.model ??= book.open(this.actions).catch((error: unknown) => {
      this.actions.refuse({ name, reason: messageOf(error) });
      throw new Problem(
        'bundle-refused',
        `The model ${name} failed its checks; the log says why.`,
        { cause: error },
      );
    });
    return book.model;
  }

  /** A task file of a model. @throws Problem `unknown-model`, or a sentence where it is not as the manifest has it */
  file(name: string, file: string): Promise<Uint8Array> {
    return this.book(name).file(file);
  }

  private book(name: string): Book {
    const book = this.books.get(name);
    if (book) return book;
    const names = [...this.books.keys()].join(', ');
    throw new Problem('unknown-model', `There is no model ${name}; the models are ${names}.`);
  }
}

/** The present set of models, and the earlier ones that requests still use. */
export class Shelf {
  private present: ModelSet;
  private readonly earlier = new Set<ModelSet>();
  /** A bundle that was opened and is not served yet. */
  private prepared: Book | undefined;

  /** @param loaded those that are open; @param bundles all that are served */
  constructor(
    loaded: ReadonlyMap<string, LoadedModel>,
    bundles: readonly Bundle[],
    private readonly actions: ShelfActions,
  ) {
    const books = bundles.map((bundle): [string, Book] => {
      const { name } = bundle.manifest;
      const model = loaded.get(name);
      const book = new Book(bundle, model && Promise.resolve(model));
      if (model) book.keepFiles().catch(() => undefined);
      return [name, book];
    });
    this.present = new ModelSet(new Map(books), bundles, actions);
  }

  /** The present set, for one request; to be given back. */
  take(): ModelSet {
    this.present.users++;
    return this.present;
  }

  /** A request is settled. The models of an earlier set are freed after the last that used it. */
  giveBack(set: ModelSet): void {
    set.users--;
    if (set !== this.present && set.users === 0) this.drop(set);
  }

  /**
   * Opens a bundle beside those that are served, in place of one that was prepared before.
   * @throws an error that names the file at fault
   */
  async prepare(bundle: Bundle, measured?: Measured): Promise<LoadedModel> {
    const book = new Book(bundle);
    const model = await book.open(this.actions, measured);
    book.model = Promise.resolve(model);
    if (this.prepared) this.discard(this.prepared);
    this.prepared = book;
    return model;
  }

  /** Serves these bundles to the requests that come from now on. Bundles of an equal generation stay as they are. */
  serve(bundles: readonly Bundle[]): void {
    const before = this.present;
    const { prepared } = this;
    const books = bundles.map((bundle): [string, Book] => {
      const { name } = bundle.manifest;
      const known = [prepared, before.books.get(name)].find((book) => book?.holds(bundle));
      return [name, known ?? new Book(bundle)];
    });
    this.present = new ModelSet(new Map(books), bundles, this.actions);
    this.prepared = undefined;
    if (prepared && !this.holds(prepared)) this.discard(prepared);
    if (before.users > 0) this.earlier.add(before);
    else this.drop(before);
  }

  private drop(set: ModelSet): void {
    this.earlier.delete(set);
    for (const book of set.books.values()) if (!this.holds(book)) this.discard(book);
  }

  /** Whether a set that is in use has the book. */
  private holds(book: Book): boolean {
    const sets = [this.present, ...this.earlier];
    return sets.some(({ books }) => [...books.values()].includes(book));
  }

  private discard({ model }: Book): void {
    model?.then(
      (opened) => this.actions.release(opened),
      () => undefined,
    );
  }
}
