/** Mutations: a valid request with a few things broken, seeded. */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import type { Random } from '../../src/data/random.ts';
import type { Shot } from './seeds.ts';

type Mutation = (shot: Shot, random: Random) => Shot;

/** Values that parsers stumble over. */
const WORDS = [
  ...['', ' ', '0', '-0', '-1', '1e999', '-1e999', 'NaN', 'Infinity', '9007199254740993', '0x10'],
  ...[
    'null',
    'true',
    '[]',
    '{}',
    '"',
    "'",
    '%00',
    '%ff',
    '\u0000',
    '\ud800',
    '😀',
    '../../etc/passwd',
  ],
  ...['__proto__', 'constructor', 'toString', 'x'.repeat(300), '[['.repeat(200), '1,2', 'a=b&a=c'],
];
const PARAMETERS = [
  ...['rule', 'threshold', 'tolerance', 'depth', 'min_depth', 'max_depth', 'deadline_ms', 'seed'],
  ...['model', 'format', 'depth_map', 'unknown', '__proto__'],
];
const HEADERS = [
  ...['accept', 'content-type', 'content-encoding', 'accept-encoding', 'authorization', 'range'],
  ...['x-request-id', 'traceparent', 'expect', 'if-none-match', 'origin', 'cookie'],
  ...['inference-header-content-length', 'x-forwarded-for', 'forwarded', 'if-modified-since'],
];
const PATHS = ['/v1/denoise', '/v1/recover', '/v1/few-shot', '/v1/recognize', '/v1/models', '/v2'];

/** Of at most this many bytes a mutation may add. */
const MAX_GROWTH = 4_000;

const bytes: Mutation = (shot, random) => {
  const body = Buffer.from(shot.body);
  for (let left = 1 + random.integer(8); left > 0 && body.length > 0; left--) {
    // Headers and lengths lie at the beginning of every format.
    const end = random.uniform() < 0.5 ? Math.min(64, body.length) : body.length;
    body[random.integer(end)] = random.item([0, 1, 0x7f, 0x80, 0xff, random.integer(256)]);
  }
  return { ...shot, body };
};

const cut: Mutation = (shot, random) => ({
  ...shot,
  body: shot.body.subarray(0, random.integer(shot.body.length + 1)),
});

const splice: Mutation = (shot, random) => {
  const { body } = shot;
  const from = random.integer(body.length + 1);
  const piece = body.subarray(from, from + random.integer(MAX_GROWTH));
  const at = random.integer(body.length + 1);
  return { ...shot, body: Buffer.concat([body.subarray(0, at), piece, body.subarray(at)]) };
};

const word: Mutation = (shot, random) => {
  const at = random.integer(shot.body.length + 1);
  const skipped = random.integer(12);
  const parts = [shot.body.subarray(0, at), Buffer.from(random.item(WORDS))];
  return { ...shot, body: Buffer.concat([...parts, shot.body.subarray(at + skipped)]) };
};

/** Another number in a text, such as a length, a shape or a depth. */
const number: Mutation = (shot, random) => {
  const numbers = [...shot.body.subarray(0, 20_000).toString('latin1').matchAll(/-?\d+/g)];
  if (numbers.length === 0) return bytes(shot, random);
  const { 0: text, index } = random.item(numbers);
  const other = Buffer.from(random.item([...WORDS.slice(2, 11), `${text}0`, `${text}.5`]));
  const rest = shot.body.subarray(index + text.length);
  return { ...shot, body: Buffer.concat([shot.body.subarray(0, index), other, rest]) };
};

const query: Mutation = (shot, random) => {
  const value =
    random.uniform() < 0.3 ? random.item(WORDS) : encodeURIComponent(wellFormed(random));
  const pair = `${random.item(PARAMETERS)}=${value.replace(/[^\x21-\x7e]/g, '%00')}`;
  return { ...shot, path: `${shot.path}${shot.path.includes('?') ? '&' : '?'}${pair}` };
};

// `encodeURIComponent` refuses lone surrogates.
const wellFormed = (random: Random): string => Buffer.from(random.item(WORDS)).toString();

const path: Mutation = (shot, random) => {
  const tail = encodeURIComponent(wellFormed(random));
  const made = random.item([`${random.item(PATHS)}/${tail}`, `${shot.path}/${tail}`, `/${tail}`]);
  return { ...shot, path: random.uniform() < 0.5 ? random.item(PATHS) : made };
};

const header: Mutation = (shot, random) => {
  const types = ['image/png', 'application/json', 'application/x-npy', 'multipart/form-data'];
  const value = random.item([
    ...types,
    ...WORDS,
    '*/*;q=0',
    'gzip',
    'br',
    'multipart/form-data; boundary=x',
  ]);
  const printable = value.replace(/[^\x20-\x7e]/g, '?');
  return { ...shot, headers: { ...shot.headers, [random.item(HEADERS)]: printable } };
};

const method: Mutation = (shot, random) => ({
  ...shot,
  method: random.item(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']),
});

const encoding: Mutation = (shot, random) => {
  const pack = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync };
  const name = random.item(['gzip', 'deflate', 'br'] as const);
  const body = pack[name](shot.body);
  const headers = { ...shot.headers, 'content-encoding': name };
  return random.uniform() < 0.3
    ? bytes({ ...shot, headers, body }, random)
    : { ...shot, headers, body };
};

const mutations = [
  ...[bytes, bytes, cut, splice, word, number, number],
  ...[query, path, header, header, method, encoding],
];

/** The request with one to four mutations. */
export function mutated(shot: Shot, random: Random): Shot {
  let result = shot;
  for (let left = 1 + random.integer(4); left > 0; left--)
    result = random.item(mutations)(result, random);
  return result;
}

/** The request as bytes on the wire, some of which are broken: for the HTTP parser. */
export function wireBytes({ method, path, headers, body }: Shot, random: Random): Buffer {
  const lines = Object.entries({ host: 'localhost', ...headers, 'content-length': body.length });
  const head = `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  const text = Buffer.from(head, 'latin1');
  for (let left = random.integer(4); left > 0; left--)
    text[random.integer(text.length)] = random.item([0, 10, 13, 32, 58, random.integer(256)]);
  return Buffer.concat([text, body]);
}
