/** The page's files as they are served, and its modules that need no browser. */
import { readdirSync, readFileSync } from 'node:fs';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeNpy } from '../../src/codecs/npy.ts';
import { installPage } from '../../src/server/page.ts';

const files = readdirSync('public', { recursive: true })
  .map(String)
  .filter((name) => name.includes('.'));
const textOf = (name: string): string => readFileSync(`public/${name}`, 'utf8');
/** A module of the page; they have no types. */
const load = async <T>(name: string): Promise<T> =>
  (await import(new URL(`../../public/${name}`, import.meta.url).href)) as T;

describe('the files', () => {
  let app: FastifyInstance;
  beforeAll(async () => {
    app = fastify();
    await installPage(app);
  });
  afterAll(() => app.close());

  it('are all served, with types that browsers run under nosniff', async () => {
    const types: Record<string, RegExp> = {
      html: /^text\/html/,
      css: /^text\/css/,
      js: /^(text|application)\/javascript/,
      svg: /^image\/svg\+xml/,
    };
    expect(files).toContain('denoise.js');
    for (const name of files) {
      const answer = await app.inject({ url: `/${name}` });
      expect([name, answer.statusCode]).toEqual([name, 200]);
      expect(answer.headers['content-type']).toMatch(types[name.split('.').at(-1)!]!);
    }
  });

  it('may run no inline script and set no inline style', async () => {
    const { body, headers } = await app.inject({ url: '/' });
    const policy = String(headers['content-security-policy']);
    expect(policy).toMatch(/script-src 'self';/);
    expect(policy).toMatch(/style-src 'self';/);
    expect(body).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/);
  });

  it('name nothing that lies elsewhere, and no absolute path', () => {
    for (const name of files.filter((file) => /\.(html|css|js)$/.test(file))) {
      const text = textOf(name).replaceAll('http://www.w3.org/', '');
      expect([name, /https?:\/\//.exec(text)?.[0]]).toEqual([name, undefined]);
      expect([name, /(href|src)="\/|(call|fetch)\([`'"]\/|url\(\//.exec(text)?.[0]]).toEqual([
        name,
        undefined,
      ]);
    }
  });

  it('have one label for each place that the scripts look for', () => {
    const html = textOf('index.html');
    const scripts = ['denoise', 'recover', 'few-shot', 'recognize'];
    for (const name of scripts) {
      const panel = html
        .slice(html.indexOf(`role="tabpanel" id="${name}"`))
        .split('</section>')[0]!;
      const script = textOf('panel.js') + textOf(`${name}.js`);
      for (const [, place] of script.matchAll(/\$\('\[(data-[\w-]+)\]/g))
        expect([name, place, panel.includes(place!)]).toEqual([name, place, true]);
    }
  });
});

describe('stopping.js', () => {
  it('says what π is by how the policy was trained, and no gain in dB', async () => {
    const { meaningOfPi } = await load<{ meaningOfPi: (manifest: object) => string }>(
      'stopping.js',
    );
    const of = (name: string, added = {}) =>
      meaningOfPi({
        ...(JSON.parse(readFileSync(`models/${name}/manifest.json`, 'utf8')) as object),
        ...added,
      });
    expect(of('denoise-gray-traffic')).toMatch(/above 0\.5 .* gain less than they cost/);
    expect(of('sparse-recovery')).toMatch(/probability/);
    expect(of('sparse-recovery', { policy_files: [{}] })).toBe(of('denoise-gray-traffic'));
    expect(meaningOfPi({})).toMatch(/own score/);
  });
});

describe('events.js', () => {
  it('reads events whose bytes arrive in any pieces', async () => {
    const { readEvents } = await load<{
      readEvents: (stream: ReadableStream) => AsyncGenerator<{ event: string; data: unknown }>;
    }>('events.js');
    const bytes = new TextEncoder().encode(
      ': hello\n\nevent: exit\ndata: {"pi":0.5,\ndata: "é":"π"}\n\nevent: result\r\ndata: [1]\r\n\r\n',
    );
    for (const size of [1, 7, bytes.length]) {
      const stream = new ReadableStream({
        start(controller) {
          for (let i = 0; i < bytes.length; i += size)
            controller.enqueue(bytes.subarray(i, i + size));
          controller.close();
        },
      });
      const seen = [];
      for await (const event of readEvents(stream)) seen.push(event);
      expect(seen).toEqual([
        { event: 'exit', data: { pi: 0.5, é: 'π' } },
        { event: 'result', data: [1] },
      ]);
    }
  });
});

describe('latest.js', () => {
  it('drops the answers and the errors of all calls but the newest', async () => {
    const { latest } = await load<{
      latest: (
        work: (signal: AbortSignal) => Promise<void>,
        failed: (error: Error) => void,
      ) => { now: () => Promise<void> };
    }>('latest.js');
    const errors: string[] = [];
    const aborted: boolean[] = [];
    let calls = 0;
    const { now } = latest(
      async (signal) => {
        const call = ++calls;
        await new Promise((resolve) => setTimeout(resolve, 40 - 10 * call));
        aborted[call] = signal.aborted;
        throw new Error(`call ${call}`);
      },
      (error) => errors.push(error.message),
    );
    await Promise.all([now(), now(), now()]);
    expect(aborted.slice(1)).toEqual([true, true, false]);
    expect(errors).toEqual(['call 3']);
  });
});

describe('metrics.js', () => {
  it('gives requests and depths of each model', async () => {
    const { readMetrics } = await load<{ readMetrics: (text: string) => unknown }>('metrics.js');
    const text = `# TYPE stopwise_requests_total counter
stopwise_requests_total{model="a",outcome="ok"} 5
stopwise_requests_total{model="a",outcome="rejected"} 2
stopwise_requests_total{model="",outcome="rejected"} 9
stopwise_layers_run_total{model="a"} 20
stopwise_layers_skipped_total{model="a"} 30
stopwise_stop_depth_bucket{le="0",model="a"} 0
stopwise_stop_depth_bucket{le="4",model="a"} 3
stopwise_stop_depth_bucket{le="6",model="a"} 3
stopwise_stop_depth_bucket{le="8",model="a"} 5
stopwise_stop_depth_bucket{le="+Inf",model="a"} 5
`;
    const depths = [
      [4, 3],
      [8, 2],
    ];
    expect(readMetrics(text)).toEqual([
      { model: 'a', answered: 5, refused: 2, run: 20, skipped: 30, depths },
    ]);
  });
});

describe('noise.js', () => {
  interface NoiseSettings {
    readonly kind: string;
    readonly strength: number;
    readonly gray: boolean;
  }
  const noise = () =>
    load<{
      addNoise: (pixels: Uint8ClampedArray, width: number, to: NoiseSettings) => Uint8ClampedArray;
    }>('noise.js');
  const flat = new Uint8ClampedArray(4 * 128 * 96).fill(128);

  it.each(['independent', 'camera', 'grain'])('%s has its strength at mid-gray', async (kind) => {
    const { addNoise } = await noise();
    const noisy = addNoise(flat, 128, { kind, strength: 10, gray: false });
    for (let c = 0; c < 3; c++) {
      const values = noisy.filter((_, i) => i % 4 === c);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const power = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
      expect(Math.sqrt(power)).toBeGreaterThan(8.5);
      expect(Math.sqrt(power)).toBeLessThan(11.5);
    }
    expect(noisy.filter((_, i) => i % 4 === 3).every((alpha) => alpha === 128)).toBe(true);
  });

  it('leaves a gray picture gray, and differs between channels otherwise', async () => {
    const { addNoise } = await noise();
    const channel = (gray: boolean, c: number) =>
      addNoise(flat, 128, { kind: 'camera', strength: 20, gray }).filter((_, i) => i % 4 === c);
    expect(channel(true, 0)).toEqual(channel(true, 2));
    expect(channel(false, 0)).not.toEqual(channel(false, 2));
  });
});

describe('signals.js', () => {
  interface Matrix {
    readonly shape: readonly number[];
    readonly data: Float32Array;
  }
  const signals = () =>
    load<{
      readNpy: (buffer: ArrayBuffer) => Matrix;
      nmse: (found: ArrayLike<number>, truth: Float64Array) => number;
      measure: (
        matrix: Matrix,
        signal: Float64Array,
        to: { snr: number; scale: number; seed: number },
      ) => Float64Array;
    }>('signals.js');

  it('reads the matrix as the bundle stores it', async () => {
    const { readNpy } = await signals();
    const file = Buffer.from(
      writeNpy({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6.5) }),
    );
    const { shape, data } = readNpy(Uint8Array.from(file).buffer);
    expect([shape, [...data]]).toEqual([
      [2, 3],
      [1, 2, 3, 4, 5, 6.5],
    ]);
    file.set(Buffer.from('i'), file.indexOf('f4'));
    expect(() => readNpy(Uint8Array.from(file).buffer)).toThrow(/cannot read/);
  });

  it('measures with the noise and the scale that are asked for', async () => {
    const { measure, nmse } = await signals();
    const shape = [200, 2];
    const data = Float32Array.from({ length: 400 }, (_, i) => Math.sin(i));
    const exact = Float64Array.from({ length: 200 }, (_, i) => 3 * data[2 * i]!);
    const at = (snr: number, scale: number) =>
      measure({ shape, data }, Float64Array.of(3, 0), { snr, scale, seed: 4 });
    expect(nmse(at(300, 1), exact)).toBeLessThan(-200);
    expect(nmse(at(20, 1), exact)).toBeGreaterThan(-22);
    expect(nmse(at(20, 1), exact)).toBeLessThan(-18);
    at(20, 1000).forEach((value, i) => expect(value / 1000).toBeCloseTo(at(20, 1)[i]!, 9));
  });
});
