/** Answers that improve: every exit as a server-sent event, then the result. */
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import { smallModels, writeModels } from '../support/small.ts';
import { form, startSmallService, type SmallService } from './support.ts';

interface Exit {
  sample: number;
  depth: number;
  pi: number | null;
  threshold: number | null;
  tolerance?: number;
  elapsed_ms: number;
  stopped: boolean;
  answer?: unknown;
}
interface Result {
  samples: { depth: number; reason: string; pi: (number | null)[] }[];
  timing?: unknown;
  signals?: number[][];
  image?: { format: string; data: string };
  outputs?: Record<string, number[][]>;
}

const random = new Random(1);
const vector = (): number[] => Array.from({ length: 12 }, random.normal);
const vectors = Array.from({ length: 6 }, vector);
const noise = (width: number, height: number): Promise<Buffer> =>
  sharp(
    Uint8Array.from({ length: width * height * 3 }, () => random.integer(256)),
    { raw: { width, height, channels: 3 } },
  )
    .png()
    .toBuffer();

let threads: SmallService;
let processes: SmallService;
beforeAll(async () => {
  [threads, processes] = await Promise.all([
    startSmallService(),
    startSmallService({ isolation: 'process' }),
  ]);
});
afterAll(() => Promise.all([threads.close(), processes.close()]));

const post = (
  url: string,
  payload: object | Buffer,
  accept: string,
  { app } = threads,
  headers: Record<string, string> = {},
) => app.inject({ method: 'POST', url, payload, headers: { accept, ...headers } });

/** The exits and the result of a stream, which has nothing else. */
function read(body: string): { exits: Exit[]; result: Result } {
  const blocks = body.split('\n\n');
  expect(blocks.pop()).toBe('');
  const events = blocks.map((block) => /^event: (\w+)\ndata: (.*)$/.exec(block)!);
  expect(events.map(([, name]) => name)).toEqual([
    ...new Array<string>(events.length - 1).fill('exit'),
    'result',
  ]);
  const data = events.map(([, , text]) => JSON.parse(text!) as unknown);
  return { result: data.pop() as Result, exits: data as Exit[] };
}

async function follow(...request: Parameters<typeof post>) {
  const response = await post(...request);
  expect(response.statusCode, response.body).toBe(200);
  expect(response.headers['content-type']).toMatch(/^text\/event-stream/);
  return read(response.body);
}

const STREAM = 'text/event-stream';
const recover = (query: string, service = threads, measurements = vectors) =>
  follow(`/v1/recover?${query}`, { measurements }, STREAM, service);
const recovered = async (query: string) =>
  (
    await post(`/v1/recover?${query}`, { measurements: vectors }, 'application/json')
  ).json<Result>();

/** One event for each exit up to the depth of each sample, in order, and the last one says that it stopped. */
function expectWhole({ exits, result }: { exits: Exit[]; result: Result }, depths: number[]): void {
  const last = depths.at(-1)!;
  result.samples.forEach(({ depth, pi }, sample) => {
    const own = exits.filter((exit) => exit.sample === sample);
    expect(own.map((exit) => exit.depth)).toEqual(depths.filter((one) => one <= depth));
    expect(own.map(({ stopped }) => stopped)).toEqual(own.map((exit) => exit.depth === depth));
    const known = own.filter((exit) => exit.depth < last);
    expect(known.map((exit) => exit.pi)).toEqual(pi);
    expect(own.filter((exit) => exit.depth === last).map((exit) => exit.pi)).toEqual(
      depth === last ? [null] : [],
    );
    own
      .slice(1)
      .forEach(({ elapsed_ms }, i) =>
        expect(elapsed_ms).toBeGreaterThanOrEqual(own[i]!.elapsed_ms),
      );
  });
}

describe.each([
  ['threads', () => threads],
  ['processes', () => processes],
])('with %s', (_, service) => {
  it('tells every exit of every sample, then the JSON answer', async () => {
    const stream = await recover('threshold=0.5', service());
    expectWhole(stream, [1, 2, 3, 4, 5]);
    expect(new Set(stream.result.samples.map(({ depth }) => depth)).size).toBeGreaterThan(1);
    expect(stream.exits.map(({ threshold }) => threshold)).toEqual(
      stream.exits.map(({ depth }) => (depth < 5 ? 0.5 : null)),
    );
    expect(stream.exits.some((exit) => 'answer' in exit)).toBe(false);
    const plain = await recovered('threshold=0.5');
    const { signals: expected = [] } = plain;
    expect({ ...stream.result, signals: expected, timing: plain.timing }).toEqual(plain);
    stream.result
      .signals!.flat()
      .forEach((value, i) => expect(Math.abs(value - expected.flat()[i]!)).toBeLessThan(1e-5));
  });

  it('shows with preview=true what a fixed depth answers', async () => {
    const { exits } = await recover('threshold=1&preview=true', service());
    expect(exits).toHaveLength(30);
    for (const depth of [1, 3, 5]) {
      const { signals = [] } = await recovered(`depth=${depth}`);
      for (const exit of exits.filter((one) => one.depth === depth))
        (exit.answer as number[]).forEach((value, i) =>
          expect(Math.abs(value - signals[exit.sample]![i]!)).toBeLessThan(1e-5),
        );
    }
  });
});

describe('the stop rule', () => {
  it('gives no threshold where the policy cannot stop a sample', async () => {
    const fixed = await recover('depth=3');
    expectWhole(fixed, [1, 2, 3, 4, 5]);
    expect(fixed.exits.every(({ threshold }) => threshold === null)).toBe(true);
    const bounded = await recover('threshold=0&min_depth=3&max_depth=4');
    expect(bounded.exits.filter(({ sample }) => sample === 0)).toMatchObject([
      { depth: 1, threshold: null, stopped: false },
      { depth: 2, threshold: null, stopped: false },
      { depth: 3, threshold: 0, stopped: true },
    ]);
  });

  it('keeps a deadline', async () => {
    const stream = await recover('threshold=1&deadline_ms=0', threads, [vectors[0]!]);
    expect(stream.exits).toHaveLength(1);
    expect(stream.result.samples).toMatchObject([{ depth: 1, reason: 'deadline' }]);
  });
});

describe('the tolerance that an exit keeps', () => {
  const row = (tolerance: number, threshold: number) => ({
    ...{ tolerance, threshold, share: 0.99, bound: 0.95, n: 2000 },
    ...{ mean_depth: 3, ms: 1, guaranteed: true },
  });
  const rows = [row(0.2, 0.7), row(0.5, 0.4)];
  let certified: SmallService;
  beforeAll(async () => {
    const recovery = smallModels().find(({ name }) => name === 'small-recovery')!;
    const calibration = { unit: 'dB' as const, default: 0.2, data: 'drawn', rows };
    const models = await writeModels([{ ...recovery, change: { calibration } }]);
    certified = await startSmallService({ modelsDir: models });
  });
  afterAll(() => certified.close());

  it('is that of the rules that stop there, whatever rule the request has', async () => {
    const { exits } = await recover('threshold=1', certified);
    // Sample by sample, where each tolerance alone would stop it.
    const depths = await Promise.all(
      rows.map(async ({ tolerance }) => {
        const { result } = await recover(`tolerance=${tolerance}`, certified);
        return result.samples.map(({ depth }) => depth);
      }),
    );
    for (const { sample, depth, tolerance } of exits) {
      const kept = rows.find((_, i) => depths[i]![sample] === depth);
      expect(tolerance, `sample ${sample} at ${depth}`).toBe(kept?.tolerance);
    }
    const named = exits.map(({ tolerance }) => tolerance);
    expect(new Set(named)).toEqual(new Set([undefined, 0.2, 0.5]));
  });

  it('is absent without a table', async () => {
    const { exits } = await recover('threshold=1');
    expect(exits.some((exit) => 'tolerance' in exit)).toBe(false);
  });
});

describe('denoising', () => {
  const image = async (width: number, height: number, query: string, accept = STREAM) => {
    const { payload, headers } = await form([{ field: 'image', file: await noise(width, height) }]);
    return { ask: [`/v1/denoise?${query}`, payload, accept, threads, headers] as const, headers };
  };

  it('shows the image of each exit in the format that is asked for', async () => {
    const { ask } = await image(24, 20, 'threshold=1&preview=true&format=webp');
    const { exits, result } = await follow(...ask);
    expect(exits.map(({ depth }) => depth)).toEqual([2, 3, 4]);
    const files = exits.map(({ answer }) => Buffer.from(answer as string, 'base64'));
    for (const [i, file] of files.entries()) {
      expect(file.subarray(8, 12).toString()).toBe('WEBP');
      const [, payload, , , headers] = ask;
      const url = `/v1/denoise?depth=${exits[i]!.depth}&format=webp`;
      const fixed = await post(url, payload, '*/*', threads, headers);
      expect(file.equals(fixed.rawPayload)).toBe(true);
    }
    expect(result.image).toMatchObject({ format: 'webp', data: files[2]!.toString('base64') });
  });

  it('counts tiles, and shows none of them', async () => {
    const { ask } = await image(600, 580, 'threshold=0.5&preview=true');
    const { exits, result } = await follow(...ask);
    expect(result.samples).toHaveLength(4);
    expect(new Set(exits.map(({ sample }) => sample))).toEqual(new Set([0, 1, 2, 3]));
    expect(exits.some((exit) => 'answer' in exit)).toBe(false);
  });

  it('refuses a picture of the depths', async () => {
    const { ask } = await image(24, 20, 'format=depth');
    expect((await post(...ask)).json()).toMatchObject({ status: 400, code: 'bad-parameter' });
  });
});

it('shows named outputs of a tensor request', async () => {
  const inputs = { measurements: vectors };
  const url = '/v1/tensor?model=small-recovery&depth=2&preview=true';
  const { exits, result } = await follow(url, { inputs }, STREAM);
  const last = exits.find(({ sample, stopped }) => sample === 4 && stopped)!;
  expect(last.answer).toEqual({ signal: result.outputs!.signal![4] });
});

describe('negotiation', () => {
  it('streams only where the client prefers it', async () => {
    const type = async (accept: string) =>
      (await post('/v1/recover', { measurements: vectors }, accept)).headers['content-type'];
    expect(await type('*/*')).toMatch(/json/);
    expect(await type('application/json, text/event-stream')).toMatch(/json/);
    expect(await type('application/x-npy;q=0.5, text/event-stream')).toMatch(/event-stream/);
    expect(await type('text/event-stream;q=0.5, application/x-npy')).toMatch(/npy/);
  });

  it('answers what fails before the first event with its own status', async () => {
    const bad = await post('/v1/recover', { measurements: [1] }, STREAM);
    expect([bad.statusCode, bad.headers['content-type']]).toEqual([400, PROBLEM]);
    const late = await post('/v1/recover?model=nobody', { measurements: vectors }, STREAM);
    expect([late.statusCode, late.headers['content-type']]).toEqual([404, PROBLEM]);
    const preview = await post('/v1/recover?preview=true', { measurements: vectors }, '*/*');
    expect(preview.json()).toMatchObject({ status: 400, code: 'bad-parameter' });
  });
});
const PROBLEM = 'application/problem+json';

it('counts a stream as one answered request', async () => {
  const count = async () => {
    const text = (await threads.app.inject({ url: '/metrics' })).body;
    return Number(
      /stopwise_requests_total{model="small-recovery",outcome="ok"} (\d+)/.exec(text)![1],
    );
  };
  const before = await count();
  await recover('');
  expect((await count()) - before).toBe(1);
});

it('is in the OpenAPI document, for the tasks that have it', async () => {
  const { paths } = (await threads.app.inject({ url: '/openapi.json' })).json<{
    paths: Record<
      string,
      {
        post: {
          parameters: { name: string }[];
          responses: { 200: { content: Record<string, object> } };
        };
      }
    >;
  }>();
  for (const route of ['denoise', 'recover', 'tensor', 'recognize', 'few-shot']) {
    const { parameters, responses } = paths[`/v1/${route}`]!.post;
    const streams = !['recognize', 'few-shot'].includes(route);
    expect(STREAM in responses[200].content, route).toBe(streams);
    expect(parameters.some(({ name }) => name === 'preview')).toBe(streams);
  }
});
