import { Problem } from '../errors.ts';
import { formats } from './formats.ts';

/** The answer to a file that no decoder reads. */
export function unreadable(cause?: unknown): Problem {
  const detail = `The image cannot be decoded: it is cut short, damaged or no image. Send a whole file: ${formats.join(', ')}.`;
  return new Problem('bad-image', detail, { cause });
}
