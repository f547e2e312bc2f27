/** Bounds on JSON bodies, checked on their bytes in one pass before they are parsed. */
import { Problem } from '../../errors.ts';

/** Arrays and objects within one another. */
const MOST_DEPTH = 64;
/** Keys of all objects together; the largest body of few-shot learning has 2,000. An object of 100,000 takes 0.2 s to take apart. */
const MOST_KEYS = 10_000;
/** Values of all arrays and objects together: 4,096 vectors of 2,048 numbers. V8 parses as many in about a second. */
export const MOST_VALUES = 2 ** 23;

const [QUOTE, ESCAPE, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];

/** Does not check that it is JSON. @throws Problem `bad-body` where it is nested too deeply, `too-large` where it holds too much */
export function checkJsonBounds(bytes: Uint8Array): void {
  let depth = 0;
  let keys = 0;
  let values = 1;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    if (inString) {
      if (byte === ESCAPE) i++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === COMMA) {
      if (++values > MOST_VALUES) throw tooMany('values', MOST_VALUES);
    } else if (byte === COLON) {
      if (++keys > MOST_KEYS) throw tooMany('keys', MOST_KEYS);
    }
    // `[` and `{` differ in one bit, and so do `]` and `}`.
    else if ((byte & 0xdf) === 0x5b && ++depth > MOST_DEPTH)
      throw new Problem('bad-body', `The JSON is nested more than ${MOST_DEPTH} deep.`);
    else if ((byte & 0xdf) === 0x5d) depth--;
  }
}

/** More than `most` of something. */
export const tooMany = (what: string, most: number): Problem =>
  new Problem(
    'too-large',
    `The JSON has more than ${most} ${what}. Send fewer at a time, or numbers as .npy.`,
  );
