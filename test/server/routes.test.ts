import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNpy, writeNpy } from '../../src/codecs/npy.ts';
import { Random } from '../../src/data/random.ts';
import { form, startSmallService, type SmallService } from './support.ts';

const random = new Random(1);
const vector = (length = 12): number[] => Array.from({ length }, random.normal);
const JSON_TYPE = { 'content-type': 'application/json' };

let service: SmallService;
let gray: Buffer;
let color: Buffer;
beforeAll(async () => {
  service = await startSmallService();
  const noise = (channels: 1 | 3): ReturnType<typeof sharp> =>
    sharp(
      Uint8Array.from({ length: 40 * 30 * channels }, () => random.integer(256)),
      { raw: { width: 40, height: 30, channels } },
    );
  gray = await noise(1).toColourspace('b-w').png().toBuffer();
  color = await noise(3).png().toBuffer();
});
afterAll(() => service.close());

const post = (url: string, payload: Buffer | string, headers: Record<string, string>) =>
  service.app.inject({ method: 'POST', url, payload, headers });
const recover = (body: unknown, query = '') =>
  post(`/v1/recover${query}`, JSON.stringify(body), JSON_TYPE);

describe('POST /v1/recover', () => {
  it('answers one vector and several, with depth, reason and π', async () => {
    const one = await recover({ measurements: vector() });
    expect(one.statusCode).toBe(200);
    const body = one.json<{
      signals: number[][];
      samples: { depth: number; reason: string; pi: number[] }[];
    }>();
    expect(body).toMatchObject({ model: 'small-recovery', max_depth: 5 });
    expect(body.signals[0]).toHaveLength(24);
    expect(body.samples[0]!.pi.length).toBeGreaterThanOrEqual(Math.min(body.samples[0]!.depth, 4));
    const many = await recover({ measurements: [vector(), vector(), vector()] });
    expect(many.json<typeof body>().samples).toHaveLength(3);
  });

  it('takes the stopping parameters in the query and in the body', async () => {
    const measurements = vector();
    for (const answer of [
      await recover({ measurements }, '?rule=fixed&depth=3'),
      await recover({
        measurements,
        stopping: { rule: 'fixed', depth: 3 },
        model: 'small-recovery',
      }),
    ]) {
      expect(answer.json()).toMatchObject({ samples: [{ depth: 3, reason: 'fixed' }] });
    }
    const sampled = await recover({ measurements }, '?rule=sample&seed=5');
    expect(sampled.json()).toMatchObject({ seed: 5 });
    const drawn = await recover({ measurements }, '?rule=sample');
    expect(drawn.json<{ seed: number }>().seed).toBeTypeOf('number');
  });

  it('answers raw float32 and .npy in kind, with the depth in headers', async () => {
    const data = Float32Array.from(vector());
    const raw = await post('/v1/recover?rule=fixed&depth=2', Buffer.from(data.buffer), {
      'content-type': 'application/octet-stream',
    });
    expect(raw.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'x-stop-depth': '2',
      'x-max-depth': '5',
      'x-stop-reason': 'fixed',
      vary: 'Accept',
    });
    expect(raw.rawPayload).toHaveLength(4 * 24);
    const npy = await post(
      '/v1/recover?rule=fixed&depth=2',
      Buffer.from(writeNpy({ shape: [1, 12], data })),
      {
        'content-type': 'application/x-npy',
      },
    );
    const array = readNpy(npy.rawPayload);
    expect(array.shape).toEqual([1, 24]);
    expect(Buffer.from(Float32Array.from(array.data).buffer)).toEqual(raw.rawPayload);
    const json = await post('/v1/recover?rule=fixed&depth=2', Buffer.from(data.buffer), {
      'content-type': 'application/octet-stream',
      accept: 'application/json',
    });
    expect(json.json<{ signals: number[][] }>().signals[0]!.map(Math.fround)).toEqual([
      ...Float32Array.from(array.data),
    ]);
  });
});

describe('POST /v1/denoise', () => {
  it('answers in the format it was sent, choosing the model by the channels', async () => {
    for (const [image, model, channels] of [
      [gray, 'small-gray', 1],
      [color, 'small-color', 3],
    ] as const) {
      const { payload, headers } = await form([{ field: 'image', file: image }]);
      const answer = await post('/v1/denoise', payload, headers);
      expect(answer.headers).toMatchObject({
        'content-type': 'image/png',
        'x-model': model,
        'x-max-depth': '4',
      });
      expect(await sharp(answer.rawPayload).metadata()).toMatchObject({
        format: 'png',
        width: 40,
        height: 30,
        channels,
      });
    }
    const raw = await post('/v1/denoise', await sharp(color).jpeg().toBuffer(), {
      'content-type': 'image/jpeg',
    });
    expect(raw.headers['content-type']).toBe('image/jpeg');
  });

  it('gives the picture to clients that take anything as gladly as JSON, and what is excluded to none', async () => {
    const typeFor = async (accept: string) =>
      (await post('/v1/denoise', color, { 'content-type': 'image/png', accept })).headers[
        'content-type'
      ];
    expect(await typeFor('application/json, text/plain, */*')).toBe('image/png');
    expect(await typeFor('application/*')).toMatch(/^application\/json/);
    expect(await typeFor('image/png;q=0, image/*')).toBe('image/jpeg');
  });

  it('takes bytes without a type for an image', async () => {
    const octets = { 'content-type': 'application/octet-stream' };
    expect((await post('/v1/denoise', color, octets)).headers['content-type']).toBe('image/png');
    expect((await post('/v1/denoise', color, { 'content-type': '' })).statusCode).toBe(200);
  });

  it('refuses a size that the asked format cannot hold before any compute', async () => {
    const wide = await sharp({
      create: { width: 16_400, height: 2, channels: 3, background: '#123' },
    })
      .png()
      .toBuffer();
    const answer = await post('/v1/denoise?format=webp', wide, { 'content-type': 'image/png' });
    expect(answer.statusCode).toBe(400);
    expect(answer.json<{ detail: string }>().detail).toMatch(/webp holds at most 16383 pixels/);
  });

  it('follows Accept and format=', async () => {
    const accept = await post('/v1/denoise', color, {
      'content-type': 'image/png',
      accept: 'image/webp,image/*;q=0.5',
    });
    expect(accept.headers['content-type']).toBe('image/webp');
    const format = await post('/v1/denoise?format=jpeg', color, {
      'content-type': 'image/png',
      accept: 'image/webp',
    });
    expect(format.headers['content-type']).toBe('image/jpeg');
    const json = await post('/v1/denoise?rule=fixed&depth=3', color, {
      'content-type': 'image/png',
      accept: 'application/json',
    });
    expect(json.json()).toMatchObject({
      depth: 3,
      depth_mean: 3,
      samples: [{ x: 0, y: 0, width: 40, height: 30, reason: 'fixed' }],
      image: { format: 'png', width: 40, height: 30 },
    });
    const grid = await post('/v1/denoise?rule=fixed&depth=3&format=json&depth_map=true', color, {
      'content-type': 'image/png',
    });
    expect(grid.json()).toMatchObject({ depth_map: [[3]] });
    const map = await post('/v1/denoise?rule=fixed&depth=2&format=depth', color, {
      'content-type': 'image/jpeg',
    });
    expect(map.headers).toMatchObject({ 'content-type': 'image/png', 'x-stop-depth': '2' });
    const { data, info } = await sharp(map.rawPayload).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, data[0]]).toEqual([40, 30, Math.round((255 * 2) / 4)]);
    const none = await post('/v1/denoise', color, {
      'content-type': 'image/png',
      accept: 'text/html',
    });
    expect(none.statusCode).toBe(406);
  });
});

describe('bad input gets a problem that says what to change, and the next good request is served', () => {
  const png = { 'content-type': 'image/png' };
  const octets = { 'content-type': 'application/octet-stream' };
  const huge = (): Buffer => {
    const chunk = (type: string, data: Buffer): Buffer => {
      const body = Buffer.concat([Buffer.from(type), data]);
      const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
      length.writeUInt32BE(data.length);
      check.writeUInt32BE(crc32(body));
      return Buffer.concat([length, body, check]);
    };
    const header = Buffer.from('00009c4000009c400802000000', 'hex');
    return Buffer.concat([
      Buffer.from('89504e470d0a1a0a', 'hex'),
      chunk('IHDR', header),
      chunk('IDAT', deflateSync(Buffer.alloc(9))),
      chunk('IEND', Buffer.alloc(0)),
    ]);
  };
  const cases: Record<
    string,
    [
      status: number,
      code: string,
      says: RegExp,
      send: () => Promise<{ statusCode: number; headers: object; json(): unknown }>,
    ]
  > = {
    'empty body': [400, 'bad-body', /empty/, () => post('/v1/denoise', '', png)],
    'not an image': [
      400,
      'bad-image',
      /cannot be decoded/,
      () => post('/v1/denoise', 'hello', png),
    ],
    'truncated PNG': [
      400,
      'bad-image',
      /cannot be decoded/,
      () => post('/v1/denoise', color.subarray(0, color.length / 2), png),
    ],
    'truncated JPEG': [
      400,
      'bad-image',
      /cannot be decoded/,
      async () =>
        post('/v1/denoise', (await sharp(color).jpeg().toBuffer()).subarray(0, 700), {
          'content-type': 'image/jpeg',
        }),
    ],
    'a header of 40,000×40,000': [
      413,
      'too-large',
      /pixels/,
      () => post('/v1/denoise', huge(), png),
    ],
    'form without a file': [
      400,
      'bad-body',
      /text field image; send one file, in the field image/,
      async () => {
        const { payload, headers } = await form([{ field: 'image', text: 'x' }]);
        return post('/v1/denoise', payload, headers);
      },
    ],
    'form with two files': [
      400,
      'bad-body',
      /more than one/,
      async () => {
        const { payload, headers } = await form([
          { field: 'image', file: gray },
          { field: 'image', file: gray },
        ]);
        return post('/v1/denoise', payload, headers);
      },
    ],
    'form with another field': [
      400,
      'bad-body',
      /in the field image/,
      async () => {
        const { payload, headers } = await form([{ field: 'picture', file: gray }]);
        return post('/v1/denoise', payload, headers);
      },
    ],
    'form that is cut off': [
      400,
      'bad-body',
      /multipart/,
      async () => {
        const { payload, headers } = await form([{ field: 'image', file: gray }]);
        return post('/v1/denoise', payload.subarray(0, 300), headers);
      },
    ],
    'no content type, where octets are not taken': [
      415,
      'unsupported-media-type',
      /octet-stream, which also stands for none; this route takes application\/json/,
      () => post('/v1/few-shot', color, { 'content-type': '' }),
    ],
    'a blank threshold': [
      400,
      'bad-parameter',
      /threshold is blank/,
      () => post('/v1/denoise?threshold=%20', color, png),
    ],
    'a threshold that is not finite': [
      400,
      'bad-parameter',
      /threshold must be a finite number/,
      () => post('/v1/denoise?threshold=-Infinity', color, png),
    ],
    'a deadline beyond any number': [
      400,
      'bad-parameter',
      /deadline_ms must be a finite number/,
      () => post('/v1/denoise?deadline_ms=1e400', color, png),
    ],
    'a seed that is not finite': [
      400,
      'bad-parameter',
      /seed must be a finite number/,
      () => post('/v1/recover?rule=sample&seed=Infinity', '{}', JSON_TYPE),
    ],
    'another content type': [
      415,
      'unsupported-media-type',
      /text\/plain/,
      () => post('/v1/recover', 'x', { 'content-type': 'text/plain' }),
    ],
    'body over the limit': [
      413,
      'too-large',
      /MAX_BODY_BYTES/,
      () => post('/v1/denoise', Buffer.alloc(5_000_000), png),
    ],
    'not JSON': [
      400,
      'bad-body',
      /not JSON/,
      () => post('/v1/recover', '{"measurements":', JSON_TYPE),
    ],
    'wrong length': [400, 'bad-measurements', /12/, () => recover({ measurements: [1, 2, 3] })],
    'not numbers': [
      400,
      'bad-measurements',
      /must be a number/,
      () => recover({ measurements: vector().map(String) }),
    ],
    null: [400, 'bad-measurements', /null/, () => recover({ measurements: [null, ...vector(11)] })],
    'NaN in raw floats': [
      400,
      'bad-measurements',
      /finite/,
      () => post('/v1/recover', Buffer.from(new Float32Array(12).fill(Number.NaN).buffer), octets),
    ],
    'infinite once it is float32': [
      400,
      'bad-measurements',
      /finite|large/,
      () => recover({ measurements: [1e300, ...vector(11)] }),
    ],
    '0 rows': [400, 'bad-measurements', /at least one|empty/, () => recover({ measurements: [] })],
    '100,000 rows': [
      413,
      'too-large',
      /at most/,
      () => recover({ measurements: Array.from({ length: 100_000 }, () => [1]) }),
    ],
    'octets that are no multiple': [
      400,
      'bad-measurements',
      /48/,
      () => post('/v1/recover', Buffer.alloc(50), octets),
    ],
    '.npy of complex numbers': [
      400,
      'bad-measurements',
      /complex/,
      () =>
        post(
          '/v1/recover',
          Buffer.from(
            Buffer.from(writeNpy({ shape: [12], data: new Float32Array(12) }))
              .toString('latin1')
              .replace('<f4', '<c8'),
            'latin1',
          ),
          { 'content-type': 'application/x-npy' },
        ),
    ],
    '.npy of version 9': [
      400,
      'bad-measurements',
      /version 9/,
      () => {
        const bytes = Buffer.from(writeNpy({ shape: [12], data: new Float32Array(12) }));
        bytes[6] = 9;
        return post('/v1/recover', bytes, { 'content-type': 'application/x-npy' });
      },
    ],
    'a number nested without end': [
      400,
      'bad-body',
      /nested more than 64 deep/,
      () =>
        post(
          '/v1/recover',
          `{"measurements":[[${'['.repeat(20_000)}1${']'.repeat(20_000)}${',1'.repeat(11)}]]}`,
          JSON_TYPE,
        ),
    ],
    'a threshold nested without end': [
      400,
      'bad-body',
      /nested more than 64 deep/,
      () =>
        post(
          '/v1/recover',
          `{"measurements":[],"stopping":{"threshold":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`,
          JSON_TYPE,
        ),
    ],
    'a model with a long name': [
      404,
      'unknown-model',
      /^There is no model x{80}…; .{1,200}$/,
      () => recover({ measurements: vector(), model: 'x'.repeat(1_000_000) }),
    ],
    'unknown field': [
      400,
      'bad-body',
      /signals/,
      () => recover({ measurements: vector(), signals: 1 }),
    ],
    'unknown model': [
      404,
      'unknown-model',
      /small-recovery/,
      () => recover({ measurements: vector() }, '?model=nobody'),
    ],
    'model of another task': [
      400,
      'wrong-task',
      /denoise/,
      () => recover({ measurements: vector() }, '?model=small-gray'),
    ],
    'unknown query parameter': [
      400,
      'bad-parameter',
      /treshold/,
      () => recover({ measurements: vector() }, '?treshold=0.5'),
    ],
    'repeated query parameter': [
      400,
      'bad-parameter',
      /threshold/,
      () => recover({ measurements: vector() }, '?threshold=0.5&threshold=0.6'),
    ],
    'unknown rule': [
      400,
      'bad-parameter',
      /rule/,
      () => recover({ measurements: vector() }, '?rule=maybe'),
    ],
    'threshold out of range': [
      400,
      'bad-parameter',
      /threshold/,
      () => recover({ measurements: vector() }, '?threshold=1.5'),
    ],
    'threshold that is no number': [
      400,
      'bad-parameter',
      /threshold/,
      () => recover({ measurements: vector() }, '?threshold=half'),
    ],
    'seed out of range': [
      400,
      'bad-parameter',
      /seed/,
      () => recover({ measurements: vector() }, '?rule=sample&seed=-1'),
    ],
    'depth at no exit': [
      400,
      'bad-parameter',
      /2, 3, 4/,
      () => post('/v1/denoise?rule=fixed&depth=1', gray, png),
    ],
    'fixed without depth': [
      400,
      'bad-parameter',
      /depth/,
      () => recover({ measurements: vector() }, '?rule=fixed'),
    ],
    'depth of zero': [
      400,
      'bad-parameter',
      /depth/,
      () => recover({ measurements: vector() }, '?rule=fixed&depth=0'),
    ],
    'max_depth before the first exit': [
      400,
      'bad-parameter',
      /first exit/,
      () => post('/v1/denoise?max_depth=1', gray, png),
    ],
    'min_depth beyond the last': [
      400,
      'bad-parameter',
      /beyond/,
      () => recover({ measurements: vector() }, '?min_depth=6'),
    ],
    'deadline below zero': [
      400,
      'bad-parameter',
      /deadline_ms/,
      () => recover({ measurements: vector() }, '?deadline_ms=-1'),
    ],
    'stopping in the body': [
      400,
      'bad-parameter',
      /threshold/,
      () => recover({ measurements: vector(), stopping: { threshold: 'x' } }),
    ],
    'a grid of depths beside an image': [
      400,
      'bad-parameter',
      /format=json.*format=depth/,
      () => post('/v1/denoise?depth_map=true', gray, png),
    ],
    'unknown format': [
      400,
      'bad-parameter',
      /format/,
      () => post('/v1/denoise?format=bmp', gray, png),
    ],
    'another method': [
      405,
      'method-not-allowed',
      /POST/,
      () => service.app.inject({ method: 'GET', url: '/v1/recover' }),
    ],
    'a path that cannot be decoded': [
      404,
      'not-found',
      /path/,
      () => service.app.inject({ method: 'GET', url: '/v1/models/%E0%A4%A' }),
    ],
    'another path': [
      404,
      'not-found',
      /nothing at/,
      () => service.app.inject({ method: 'GET', url: '/v3/recover' }),
    ],
    'a file that is not the task’s': [
      404,
      'not-found',
      /matrix.npy/,
      () =>
        service.app.inject({ method: 'GET', url: '/v1/models/small-recovery/files/layer-01.onnx' }),
    ],
    'a file outside': [
      404,
      'not-found',
      /./,
      () =>
        service.app.inject({
          method: 'GET',
          url: '/v1/models/small-recovery/files/..%2f..%2fpackage.json',
        }),
    ],
  };
  it.each(Object.entries(cases))('%s', async (_, [status, code, says, send]) => {
    const answer = await send();
    expect(answer.json()).toMatchObject({
      status,
      code,
      detail: expect.stringMatching(says) as string,
      type: `urn:stopwise:problem:${code}`,
    });
    expect(answer.statusCode).toBe(status);
    expect(answer.headers).toMatchObject({ 'content-type': 'application/problem+json' });
    expect((await recover({ measurements: vector() })).statusCode).toBe(200);
    expect(service.engine.pending).toBe(0);
  });
});

describe('models, health, metrics, documents', () => {
  const get = (url: string) => service.app.inject({ method: 'GET', url });

  it('lists manifests and hands out task files', async () => {
    const { models } = (await get('/v1/models')).json<{ models: { name: string }[] }>();
    expect(models.map(({ name }) => name).sort()).toEqual([
      'small-color',
      'small-gray',
      'small-recovery',
    ]);
    expect((await get('/v1/models/small-gray')).json()).toMatchObject({
      name: 'small-gray',
      exits: [2, 3, 4],
    });
    expect((await get('/v1/models/nobody')).json()).toMatchObject({ code: 'unknown-model' });
    expect(
      readNpy((await get('/v1/models/small-recovery/files/matrix.npy')).rawPayload).shape,
    ).toEqual([12, 24]);
  });

  it('is live, and ready until it drains', async () => {
    expect((await get('/health/live')).statusCode).toBe(200);
    expect((await get('/health/ready')).statusCode).toBe(200);
    service.state.draining = true;
    expect((await get('/health/ready')).statusCode).toBe(503);
    service.state.draining = false;
  });

  it('counts depths, reasons and skipped layers', async () => {
    const value = async (series: string): Promise<number> => {
      const line = (await get('/metrics')).body
        .split('\n')
        .find((text) => text.startsWith(`${series} `));
      return Number(line?.split(' ').at(-1));
    };
    const series = [
      'stopwise_stop_depth_sum{model="small-recovery"}',
      'stopwise_samples_total{model="small-recovery",reason="fixed"}',
      'stopwise_layers_skipped_total{model="small-recovery"}',
      'stopwise_requests_total{model="small-recovery",outcome="ok"}',
    ];
    const before = await Promise.all(series.map(value));
    await recover({ measurements: [vector(), vector()] }, '?rule=fixed&depth=2');
    const after = await Promise.all(series.map(value));
    expect(after.map((number, i) => number - before[i]!)).toEqual([4, 2, 6, 1]);
    const text = (await get('/metrics')).body;
    for (const name of [
      'layer_duration_seconds_count',
      'batch_size_count',
      'queue_duration_seconds_count',
      'request_duration_seconds_count',
      'execution_provider_info',
      'build_info',
      'pending_samples',
      'layers_run_total',
    ]) {
      expect(text).toContain(`stopwise_${name}`);
    }
  });

  it('counts what is refused before a model is chosen', async () => {
    const refused = async (): Promise<number> => {
      const found = [
        ...(await get('/metrics')).body.matchAll(
          /^stopwise_requests_total\{model="(?:|small-recovery)",outcome="rejected"\} (\d+)$/gm,
        ),
      ];
      return found.reduce((sum, [, count]) => sum + Number(count), 0);
    };
    const before = await refused();
    await recover({ measurements: vector() }, '?threshold=2');
    await recover({ measurements: vector() }, '?treshold=1');
    await post('/v1/denoise', Buffer.alloc(5_000_000), { 'content-type': 'image/png' });
    await post('/v1/recover', 'x', { 'content-type': 'text/plain' });
    expect(await refused()).toBe(before + 4);
  });

  it('describes itself', async () => {
    const document = (await get('/openapi.json')).json<{
      paths: Record<
        string,
        { post?: { requestBody: { content: object }; parameters: { name: string }[] } }
      >;
    }>();
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/v1/denoise',
        '/v1/recover',
        '/v1/models',
        '/v1/models/{name}/files/{file}',
        '/health/ready',
        '/metrics',
      ]),
    );
    const denoise = document.paths['/v1/denoise']!.post!;
    expect(Object.keys(denoise.requestBody.content)).toContain('multipart/form-data');
    expect(denoise.parameters.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'rule',
        'threshold',
        'seed',
        'depth',
        'min_depth',
        'max_depth',
        'deadline_ms',
        'model',
        'format',
      ]),
    );
    expect((await get('/docs/')).statusCode).toBe(200);
  });

  it('describes every answer and every body that a client needs', async () => {
    interface Media {
      schema: { properties?: Record<string, unknown>; $ref?: string };
    }
    const document = (await get('/openapi.json')).json<{
      servers: unknown[];
      components: { schemas: Record<string, unknown> };
      paths: Record<
        string,
        {
          post: {
            requestBody: { content: Record<string, Media> };
            responses: Record<string, { content: Record<string, Media>; headers?: object }>;
          };
        }
      >;
    }>();
    expect(document.servers).not.toHaveLength(0);
    expect(Object.keys(document.components.schemas)).toContain('Problem');
    const denoise = document.paths['/v1/denoise']!.post;
    const recover = document.paths['/v1/recover']!.post;
    for (const status of [400, 404, 406, 413, 415, 429, 500, 503])
      expect(denoise.responses[status]!.content['application/problem+json']!.schema.$ref).toBe(
        '#/components/schemas/Problem',
      );
    const answerOf = ({ responses }: typeof denoise) =>
      Object.keys(responses['200']!.content['application/json']!.schema.properties!);
    expect(answerOf(denoise)).toEqual(expect.arrayContaining(['image', 'depth_map', 'samples']));
    expect(answerOf(recover)).toEqual(expect.arrayContaining(['signals', 'samples', 'timing']));
    expect(Object.keys(denoise.responses['200']!.headers!)).toContain('x-stop-depth');
    expect(Object.keys(recover.requestBody.content)).toEqual([
      'application/json',
      'application/octet-stream',
      'application/x-npy',
    ]);
    expect(
      Object.keys(recover.requestBody.content['application/json']!.schema.properties!),
    ).toEqual(['measurements', 'model', 'stopping']);
  });

  it('has a page', async () => {
    expect((await get('/')).body).toContain('<title>stopwise</title>');
  });
});

describe('a full service', () => {
  it('answers 429 with Retry-After and goes on', async () => {
    const full = await startSmallService({ maxPending: 4 });
    const body = JSON.stringify({ measurements: vector() });
    const answers = await Promise.all(
      Array.from({ length: 40 }, () =>
        full.app.inject({ method: 'POST', url: '/v1/recover', payload: body, headers: JSON_TYPE }),
      ),
    );
    const refused = answers.filter(({ statusCode }) => statusCode === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(answers.every(({ statusCode }) => statusCode === 200 || statusCode === 429)).toBe(true);
    expect(refused[0]!.headers['retry-after']).toBe('1');
    expect(refused[0]!.json()).toMatchObject({ code: 'overloaded' });
    const next = await full.app.inject({
      method: 'POST',
      url: '/v1/recover',
      payload: body,
      headers: JSON_TYPE,
    });
    expect(next.statusCode).toBe(200);
    await full.close();
  });
});
