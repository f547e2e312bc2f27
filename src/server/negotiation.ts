/**
 * Which of the offered types an Accept header prefers. `negotiator` and @fastify/accepts rank types of equal quality by their
 * order in the header; here all of them are kept, so that a task may answer with an image where JSON and any type are accepted.
 */
import { Problem, shortened } from '../errors.ts';

interface Range {
  /** `*` + `/*`, `image/*` or one type. */
  readonly type: string;
  readonly quality: number;
}

/**
 * The types in `offered` with the highest quality in an Accept header, none where all have quality 0; undefined without
 * a header. The most specific matching range gives the quality of a type (RFC 9110, 12.5.1).
 */
export function preferred(
  accept: string | undefined,
  offered: readonly string[],
): string[] | undefined {
  if (accept === undefined || accept.trim() === '') return undefined;
  const ranges = accept.split(',').map(toRange);
  const qualities = offered.map((type) => qualityOf(type, ranges));
  const best = Math.max(...qualities);
  return best > 0 ? offered.filter((_, i) => qualities[i] === best) : [];
}

/**
 * The types that an Accept header prefers, as `preferred` gives them.
 * @throws Problem `not-acceptable` where all have quality 0
 */
export function negotiate(
  accept: string | undefined,
  offered: readonly string[],
): string[] | undefined {
  const best = preferred(accept, offered);
  if (best?.length === 0)
    throw new Problem(
      'not-acceptable',
      `None of ${shortened(accept ?? '')} can be given; there are ${offered.join(', ')}.`,
    );
  return best;
}

function toRange(text: string): Range {
  const [type = '', ...parameters] = text.split(';').map((word) => word.trim().toLowerCase());
  const q = parameters.find((word) => word.startsWith('q='));
  const quality = q === undefined ? 1 : Number(q.slice(2));
  return { type, quality: Number.isFinite(quality) ? Math.min(1, Math.max(0, quality)) : 0 };
}

function qualityOf(type: string, ranges: readonly Range[]): number {
  const matching = [type, `${type.split('/')[0]}/*`, '*/*'];
  for (const pattern of matching) {
    const range = ranges.find((candidate) => candidate.type === pattern);
    if (range) return range.quality;
  }
  return 0;
}
