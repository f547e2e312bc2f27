/** Valid requests of every route, which the fuzzer mutates and the soak test sends as they are. */
import { readFile } from 'node:fs/promises';
import { encodeImage, readSquare } from '../../src/codecs/images.ts';
import { readNpy, writeNpy } from '../../src/codecs/npy.ts';

/** A request as it is sent. */
export interface Shot {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const JSON_TYPE = 'application/json';
const EVENT_STREAM = 'text/event-stream';
const samples = (path: string): string => `docs/samples/${path}`;
/** Pixels; an image of this side is denoised within milliseconds. */
const SIDE = 24;

const get = (path: string, headers: Shot['headers'] = {}): Shot => ({
  method: 'GET',
  path,
  headers,
  body: Buffer.alloc(0),
});
const post = (path: string, type: string, body: Uint8Array | string, accept = ''): Shot => ({
  method: 'POST',
  path,
  headers: { 'content-type': type, ...(accept && { accept }) },
  body: typeof body === 'string' ? Buffer.from(body) : Buffer.from(body),
});

/** Requests that a service with the shipped bundles answers with 200. */
export async function seedRequests(): Promise<Shot[]> {
  return [
    ...routes(),
    ...(await recovery()),
    ...(await openInference()),
    ...(await images()),
    ...(await fewShot()),
  ];
}

const routes = (): Shot[] => [
  ...['/', '/docs/', '/openapi.json', '/metrics', '/health/live', '/health/ready'].map((path) =>
    get(path),
  ),
  ...['/v1/models', '/v1/models/sparse-recovery', '/samples/noisy.png'].map((path) => get(path)),
  get('/v1/models/sparse-recovery/files/matrix.npy', { range: 'bytes=0-99' }),
  ...['', '/health/live', '/health/ready', '/models/sparse-recovery'].map((path) =>
    get(`/v2${path}`),
  ),
  ...['ready', 'config', 'stats'].map((what) => get(`/v2/models/sparse-recovery/${what}`)),
  post('/v2/repository/index', JSON_TYPE, '{}'),
  get('/manifest.schema.json'),
  get('/openapi.json', { 'accept-encoding': 'br, gzip' }),
  { ...get('/v1/models'), method: 'HEAD' },
];

/** The sample's measurements as float32. */
const sampleFloats = async (): Promise<Float32Array> =>
  Float32Array.from(readNpy(await readFile(samples('measurements.npy'))).data);

async function recovery(): Promise<Shot[]> {
  const json = await readFile(samples('measurements.json'));
  const npy = await readFile(samples('measurements.npy'));
  const floats = await sampleFloats();
  const { measurements } = JSON.parse(json.toString()) as { measurements: number[] | number[][] };
  const row = (typeof measurements[0] === 'number' ? measurements : measurements[0]) as number[];
  const two = JSON.stringify({ measurements: [row, row], stopping: { rule: 'sample', seed: 3 } });
  return [
    post('/v1/recover', JSON_TYPE, json),
    post('/v1/recover?preview=true', JSON_TYPE, json, EVENT_STREAM),
    post('/v1/recover?max_depth=14&deadline_ms=500', JSON_TYPE, two),
    post('/v1/recover?rule=fixed&depth=8', 'application/x-npy', npy, JSON_TYPE),
    post('/v1/recover', 'application/x-npy', writeNpy({ shape: [1, floats.length], data: floats })),
    post('/v1/recover?threshold=0.4', 'application/octet-stream', Buffer.from(floats.buffer)),
  ];
}

/** `/v2`: tensors in JSON, and in bytes behind their JSON header. */
async function openInference(): Promise<Shot[]> {
  const path = '/v2/models/sparse-recovery/infer';
  const floats = await sampleFloats();
  const m = 250;
  const shape = [floats.length / m, m];
  const input = { name: 'measurements', datatype: 'FP32', shape };
  const parameters = { max_depth: 14 };
  const json = JSON.stringify({ id: '1', inputs: [{ ...input, data: [...floats] }], parameters });
  const binary = { ...input, parameters: { binary_data_size: floats.byteLength } };
  const outputs = [{ name: 'signal', parameters: { binary_data: true } }];
  const header = Buffer.from(JSON.stringify({ inputs: [binary], outputs }));
  const shot = post(
    path,
    'application/octet-stream',
    Buffer.concat([header, Buffer.from(floats.buffer)]),
  );
  const length = { 'inference-header-content-length': String(header.length) };
  return [post(path, JSON_TYPE, json), { ...shot, headers: { ...shot.headers, ...length } }];
}

async function images(): Promise<Shot[]> {
  const shots: Shot[] = [];
  for (const format of ['png', 'jpeg', 'webp', 'avif', 'tiff'] as const)
    for (const channels of [1, 3] as const) {
      const bytes = await smallImage(samples('noisy.png'), channels, format);
      shots.push(
        post('/v1/denoise?max_depth=6', `image/${format}`, bytes),
        post('/v1/denoise?format=json&depth_map=true', 'application/octet-stream', bytes),
        post('/v1/denoise', `image/${format}`, bytes, EVENT_STREAM),
        post('/v1/recognize', `image/${format}`, bytes),
        { ...post('/v1/denoise?format=depth', ...(await form([['image', bytes]]))) },
      );
    }
  return shots;
}

async function smallImage(
  file: string,
  channels: 1 | 3,
  format: 'png' | 'jpeg' | 'webp' | 'avif' | 'tiff',
): Promise<Uint8Array> {
  const square = await readSquare(file, SIDE, channels);
  const image = { ...square, format, bits: 8, alpha: undefined, source: undefined } as const;
  return encodeImage(image, format);
}

async function fewShot(): Promise<Shot[]> {
  const drawing = (name: string) => readFile(samples(`characters/${name}.png`));
  const [anchor, gate, query] = await Promise.all(['anchor-1', 'gate-1', 'query-1'].map(drawing));
  const support = [
    { label: 'anchor', image: anchor?.toString('base64') },
    { label: 'gate', image: gate?.toString('base64') },
  ];
  const json = JSON.stringify({ support, query: [query?.toString('base64')] });
  const parts: readonly Part[] = [
    ...([
      ['label', 'anchor'],
      ['support', anchor],
    ] as Part[]),
    ...([
      ['label', 'gate'],
      ['support', gate],
      ['query', query],
    ] as Part[]),
  ];
  return [
    post('/v1/few-shot?max_depth=1', JSON_TYPE, json),
    post('/v1/few-shot?max_depth=1', ...(await form(parts))),
  ];
}

type Part = readonly [field: string, content: string | Uint8Array];

/** A multipart form: its media type and its bytes. */
async function form(parts: readonly Part[]): Promise<[type: string, body: Buffer]> {
  const data = new FormData();
  for (const [field, content] of parts)
    if (typeof content === 'string') data.append(field, content);
    else data.append(field, new Blob([new Uint8Array(content)]), 'image');
  const response = new Response(data);
  return [response.headers.get('content-type') ?? '', Buffer.from(await response.arrayBuffer())];
}
