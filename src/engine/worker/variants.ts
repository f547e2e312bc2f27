/** Chooses the numeric form in which samples run on after the first segment: for each sample, or once for all parts of an image. */
import { FLOAT } from '../../bundle/manifest.ts';
import type { Provider } from '../../runtime/session.ts';
import type { Measured } from '../transport/messages.ts';
import type { Item, Job } from './jobs.ts';
import type { LoadedModel, LoadedVariant } from './models.ts';

/** Every variant that is in its range and faster than float. */
export const AUTO = 'auto';

/**
 * Why a variant is not opened; undefined where it is.
 * @param variants `auto`, `float`, or the name of the one that is to be used
 * @param known what another worker has measured
 */
export function declineReason(
  name: string,
  provider: Provider,
  variants: string,
  known: Measured | undefined,
): string | undefined {
  if (provider !== 'cpu') return `the ${provider} provider runs ${FLOAT} alone`;
  if (variants !== AUTO) return variants === name ? undefined : `the service is set to ${variants}`;
  return known?.variants?.find((one) => one.name === name)?.declined;
}

/**
 * Chooses for samples that have run the first segment.
 * @returns those whose form is known; the others are parts of an image, which are chosen for together
 */
export function chooseEach(model: LoadedModel, batch: readonly Item[]): readonly Item[] {
  if (model.variants.length === 0) return batch;
  return batch.filter((item) => {
    const { imageStatistic, items } = item.job;
    if (item.isChosen) return true;
    if (imageStatistic && items.length > 1) return false;
    item.runIn(variantFor(model, item.statistic));
    return true;
  });
}

/** Whether no part of the image has the first segment before it. */
export const isThrough = ({ items, model }: Job): boolean =>
  items.every(({ next, hasStopped }) => hasStopped || next > model.firstExit);

/** Chooses once for all parts of an image, by the statistic of the whole. */
export function chooseTogether({ model, imageStatistic }: Job, parts: readonly Item[]): void {
  const values = parts.flatMap(({ statistic }) => statistic ?? []);
  const variant = variantFor(model, imageStatistic?.(values));
  for (const item of parts) item.runIn(variant);
}

/** The first variant in whose range the statistic lies; undefined: float. */
const variantFor = (
  { variants }: LoadedModel,
  value: number | undefined,
): LoadedVariant | undefined =>
  variants.find(({ statistic: { minimum = -Infinity, maximum = Infinity } }) =>
    value === undefined ? false : value >= minimum && value <= maximum,
  );
