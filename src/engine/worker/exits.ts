/** Reports the exits that the samples of a request reach, for those that ask for it. */
import { at, entry } from '../../util/at.ts';
import { clock } from '../../util/clock.ts';
import { owned } from '../../util/owned.ts';
import type { Outbox } from '../transport/outbox.ts';
import type { ExitEncoder, ExitWatch, ReachedExit, SampleResult } from '../types.ts';
import { decoderAt, feedsFor, sharesOf } from './executor.ts';
import type { Item } from './jobs.ts';
import type { LoadedModel } from './models.ts';
import { fromRow } from './rows.ts';

/**
 * Tells the jobs of samples that go on beyond an exit. Where a job wants the outputs there, the exit's decoder runs for
 * its samples, and that counts as compute of the job.
 * @param exit from 0
 */
export async function tellExits(
  model: LoadedModel,
  exit: number,
  items: readonly Item[],
): Promise<void> {
  const showing = items.filter(({ job }) => job.watch?.wantsOutputs);
  const outputs =
    showing.length > 0 ? await outputsAt(model, exit, showing) : new Map<Item, never>();
  for (const item of items) item.job.reached(item, exit, false, outputs.get(item));
}

/** Copies: the samples go on with the values that these are read from. */
async function outputsAt(
  model: LoadedModel,
  exit: number,
  items: readonly Item[],
): Promise<ReadonlyMap<Item, SampleResult['outputs']>> {
  const { manifest } = model;
  const decoder = decoderAt(model, exit, at(items, 0));
  const start = clock();
  const decoded = await decoder?.session.run(feedsFor(decoder.reads, items));
  const now = clock();
  for (const [job, share] of sharesOf(items)) job.ran('read-out', now - start, share, now);
  const outputOf = (item: Item, i: number, name: string) => {
    const { data, dims } = fromRow(
      decoded ? { tensor: entry(decoded, name), index: i } : entry(item.values, name),
    );
    return { data: data.slice(), dims };
  };
  return new Map(
    items.map((item, i) => [
      item,
      Object.fromEntries(manifest.outputs.map(({ name }) => [name, outputOf(item, i, name)])),
    ]),
  );
}

/** Sends the exits of one request to the engine, in order. */
export class ExitReports implements ExitWatch {
  private last = Promise.resolve();

  /** @param encode the answer at each exit, where it is wanted */
  constructor(
    private readonly outbox: Pick<Outbox, 'post'>,
    private readonly id: number,
    private readonly encode: ExitEncoder | undefined,
  ) {}

  get wantsOutputs(): boolean {
    return this.encode !== undefined;
  }

  reached(exit: ReachedExit, outputs: SampleResult['outputs'] | undefined): void {
    const { outbox, id, encode } = this;
    if (!encode || !outputs) {
      outbox.post({ type: 'exited', id, exit });
      return;
    }
    this.last = this.last.then(async () => {
      const answer = owned(await encode(exit, outputs));
      outbox.post({ type: 'exited', id, exit: { ...exit, answer } }, [answer.buffer]);
    });
    // The error is that of `posted`; a request that is cancelled never asks for it.
    this.last.catch(() => undefined);
  }

  /** Resolves when every exit was sent. @throws what the encoder threw */
  posted(): Promise<void> {
    return this.last;
  }
}
