import { Problem } from '../errors.ts';

/**
 * The type among `offered` that an Accept header prefers; undefined where it prefers none in particular.
 * @throws Problem `not-acceptable` where it takes none of them
 */
export function negotiate(
  accept: string | undefined,
  offered: readonly string[],
): string | undefined {
  if (accept === undefined || accept.trim() === '') return undefined;
  const ranges = accept
    .split(',')
    .map((part) => {
      const [type = '', ...parameters] = part.split(';').map((word) => word.trim().toLowerCase());
      const q = parameters.find((word) => word.startsWith('q='));
      return { type, quality: q === undefined ? 1 : Number(q.slice(2)) };
    })
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality);
  for (const { type } of ranges) {
    if (
      type === '*/*' ||
      (type.endsWith('/*') && offered.some((one) => one.startsWith(type.slice(0, -1))))
    )
      return undefined;
    const hit = offered.find((one) => one === type);
    if (hit !== undefined) return hit;
  }
  throw new Problem(
    'not-acceptable',
    `None of ${accept} can be given; there are ${offered.join(', ')}.`,
  );
}
