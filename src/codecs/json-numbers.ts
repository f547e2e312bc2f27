/** Writes float32 values as JSON numbers of the fewest digits that give the same float32 back. */

/** The longest number: sign, nine digits, point, exponent. */
const MAX_LENGTH = 16;
const [MINUS, POINT, ZERO, EXPONENT, COMMA, OPEN, CLOSE] = [45, 46, 48, 101, 44, 91, 93];
/** Powers of ten from 1e-60 to 1e60, each the double next to it. */
const POWERS = Float64Array.from({ length: 121 }, (_, i) => Number(`1e${i - 60}`));
const power = (exponent: number): number => POWERS[exponent + 60] ?? Number.NaN;
/** Seven digits are as many as most float32 values of a short decimal need; nine are enough for all. */
const [LEAST, MOST] = [6, 9];

/** `[1,0.5,…]` in UTF-8; −0 becomes 0. @throws RangeError where a value is not finite */
export function jsonNumbers(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.length * (MAX_LENGTH + 1) + 2);
  bytes[0] = OPEN;
  let at = 1;
  for (let i = 0; i < values.length; i++) {
    if (i > 0) bytes[at++] = COMMA;
    at = writeNumber(bytes, at, values[i] ?? 0);
  }
  bytes[at++] = CLOSE;
  return bytes.subarray(0, at);
}

const NULL = Buffer.from('null');

/**
 * Nested arrays of a tensor, row by row, in UTF-8; values that are not finite become `null`.
 * @param shape outermost first; [] for a single number. Without values `[]` is written
 */
export function jsonTensor(values: Float32Array, shape: readonly number[]): Uint8Array {
  if (values.length === 0) return Buffer.from('[]');
  // Numbers in an array of each depth, outermost first.
  const sizes = shape.map((_, axis) => shape.slice(axis).reduce((a, b) => a * b, 1));
  const brackets = sizes.reduce((sum, size) => sum + (2 * values.length) / size, 0);
  const bytes = Buffer.allocUnsafe(values.length * (MAX_LENGTH + 1) + brackets);
  let at = 0;
  for (let i = 0; i < values.length; i++) {
    if (i > 0) bytes[at++] = COMMA;
    for (const size of sizes) if (i % size === 0) bytes[at++] = OPEN;
    const value = values[i]!;
    if (Number.isFinite(value)) at = writeNumber(bytes, at, value);
    else at += NULL.copy(bytes, at);
    for (const size of sizes) if ((i + 1) % size === 0) bytes[at++] = CLOSE;
  }
  return bytes.subarray(0, at);
}

/** @returns where the number ends */
function writeNumber(bytes: Uint8Array, from: number, value: number): number {
  let at = from;
  if (value === 0) {
    bytes[at++] = ZERO;
    return at;
  }
  const size = Math.abs(value);
  if (!(size < Number.POSITIVE_INFINITY)) throw new RangeError(`${value} is not a JSON number`);
  if (value < 0) bytes[at++] = MINUS;
  // The decimal exponent; the logarithm can be off by one next to a power of ten.
  let exponent = Math.floor(Math.log10(size));
  if (size >= power(exponent + 1)) exponent++;
  else if (size < power(exponent)) exponent--;
  let digits = MOST;
  let mantissa = Math.round(size * power(MOST - 1 - exponent));
  for (let fewer = MOST - 1; fewer >= LEAST; fewer--) {
    const shorter = Math.round(size * power(fewer - 1 - exponent));
    // Dividing by an exact power rounds once; multiplying by a negative one would round twice.
    const scale = fewer - 1 - exponent;
    const back = scale >= 0 ? shorter / power(scale) : shorter * power(-scale);
    if (Math.fround(back) !== size) break;
    digits = fewer;
    mantissa = shorter;
  }
  if (mantissa >= power(digits)) {
    mantissa /= 10;
    exponent++;
  }
  while (mantissa % 10 === 0) {
    mantissa /= 10;
    digits--;
  }
  return place(bytes, at, mantissa, digits, exponent);
}

/** Writes `digits` digits, the first of which stands for 10^exponent, as JavaScript does: plainly, or with an exponent. */
function place(
  bytes: Uint8Array,
  from: number,
  mantissa: number,
  digits: number,
  exponent: number,
): number {
  let at = from;
  const isPlain = exponent >= -5 && exponent < MOST;
  const before = isPlain ? exponent + 1 : 1;
  if (before <= 0) {
    bytes[at++] = ZERO;
    bytes[at++] = POINT;
    for (let i = before; i < 0; i++) bytes[at++] = ZERO;
    at = writeDigits(bytes, at, mantissa, digits);
  } else if (digits <= before) {
    at = writeDigits(bytes, at, mantissa, digits);
    for (let i = digits; i < before; i++) bytes[at++] = ZERO;
  } else {
    const scale = power(digits - before);
    const whole = Math.floor(mantissa / scale);
    at = writeDigits(bytes, at, whole, before);
    bytes[at++] = POINT;
    at = writeDigits(bytes, at, mantissa - whole * scale, digits - before);
  }
  if (isPlain) return at;
  bytes[at++] = EXPONENT;
  if (exponent < 0) bytes[at++] = MINUS;
  const size = Math.abs(exponent);
  return writeDigits(bytes, at, size, size >= 10 ? 2 : 1);
}

function writeDigits(bytes: Uint8Array, from: number, number: number, digits: number): number {
  let rest = number | 0;
  for (let i = from + digits - 1; i >= from; i--) {
    const next = (rest / 10) | 0;
    bytes[i] = ZERO + rest - 10 * next;
    rest = next;
  }
  return from + digits;
}
