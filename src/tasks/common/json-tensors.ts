/** JSON bodies with large tensors: these are read as float32 before the rest is parsed, which would take seconds otherwise. */
import { randomUUID } from 'node:crypto';
import { readTensor, type JsonTensor } from '../../codecs/json-tensor.ts';
import { Problem } from '../../errors.ts';
import { MOST_VALUES, tooMany } from './json-bounds.ts';

/** Arrays with fewer numbers stay where they are. */
const LEAST = 1024;
/** Values that may be left outside such tensors: about half a second of parsing and checking. */
const MOST_LEFT = 2 ** 20;

const [QUOTE, ESCAPE, COMMA, COLON, OPEN, SPACE] = [0x22, 0x5c, 0x2c, 0x3a, 0x5b, 0x20];

/** What is left of a body, and what was taken out. */
export interface CutBody {
  /** JSON with `[KEY]` where a tensor was. */
  readonly rest: Uint8Array;
  /** By keys that a client cannot guess. */
  readonly tensors: ReadonlyMap<string, Pick<JsonTensor, 'shape' | 'data'>>;
}

/**
 * Takes large arrays of numbers out of a JSON object: those that are a field's value.
 * @throws Problem `too-large` where there are too many values, `bad-body` where there are many outside regular arrays
 */
export function cutTensors(bytes: Uint8Array): CutBody {
  const tensors = new Map<string, JsonTensor>();
  const parts: Uint8Array[] = [];
  let [from, left, cut] = [0, 0, 0];
  let irregular: number | undefined;
  let inString = false;
  let isField = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    if (inString) {
      if (byte === ESCAPE) i++;
      else if (byte === QUOTE) inString = false;
      continue;
    }
    if (byte === OPEN && isField) {
      const tensor = readTensor(bytes, i);
      if (tensor && tensor.data.length >= LEAST) {
        const key = randomUUID();
        tensors.set(key, tensor);
        parts.push(bytes.subarray(from, i), Buffer.from(`["${key}"]`));
        from = tensor.end;
        i = tensor.end - 1;
        cut += tensor.data.length;
      } else if (!tensor) irregular = i;
    } else if (byte === QUOTE) inString = true;
    else if (byte === COMMA && ++left > MOST_LEFT) throw notRegular(irregular);
    if (cut + left > MOST_VALUES) throw tooMany('values', MOST_VALUES);
    if (byte > SPACE) isField = byte === COLON;
  }
  if (tensors.size === 0) return { rest: bytes, tensors };
  return { rest: Buffer.concat([...parts, bytes.subarray(from)]), tensors };
}

const notRegular = (at: number | undefined): Problem =>
  at === undefined
    ? tooMany('values', MOST_LEFT)
    : new Problem(
        'bad-body',
        `The array at byte ${at} is long and no tensor: it must hold numbers, or arrays of one length.`,
      );
