/** Loading, replacing and unloading models while requests run: no request fails, and none mixes two bundles. */
import { appendFile, cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeNpy } from '../../../src/codecs/npy.ts';
import type { SampleResult } from '../../../src/engine/types.ts';
import { OPEN_ACCESS } from '../../../src/config/access.ts';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import { checksum } from '../../../src/bundle/read.ts';
import { livelyWeights, smallLista, smallModels, writeModels } from '../../support/small.ts';
import { startSmallService, type SmallService } from '../support.ts';
import { jsonInput } from './support.ts';

const [recovery, gray] = smallModels();
/** Each version answers otherwise. */
function version(v: string, change: Partial<Manifest> = {}, name = 'small-recovery') {
  const weights = livelyWeights(smallLista());
  for (const data of weights.values())
    data.forEach((value, i) => (data[i] = value * (1 + Number(v) / 50)));
  return { ...recovery!, name, weights, change: { version: v, ...change } };
}

let service: SmallService;
let modelsDir: string;
beforeAll(async () => {
  modelsDir = await writeModels([version('1'), gray!]);
  const access = { ...OPEN_ACCESS, allowRepository: true };
  service = await startSmallService(
    { modelsDir, workers: 2, openOnFirstUse: true },
    { access, maxBodyBytes: 50_000_000 },
  );
});
afterAll(() => service?.close());

/** Puts a bundle into the place of the one of its name, as an operator would: written elsewhere, then renamed. */
async function place(model: Parameters<typeof writeModels>[0] & object, folder: string) {
  const from = join(await writeModels(model), model[0]!.name);
  const old = await mkdtemp(join(tmpdir(), 'stopwise-old-'));
  await rename(join(modelsDir, folder), join(old, 'old')).catch(() => undefined);
  await rename(from, join(modelsDir, folder));
}
const post = (url: string, payload?: object) =>
  service.app.inject({ method: 'POST', url, ...(payload && { payload }) });
const change = (action: 'load' | 'unload', name = 'small-recovery', payload?: object) =>
  post(`/v2/repository/models/${name}/${action}`, payload);

interface Answer {
  model_name: string;
  model_version: string;
  outputs: { name: string; data: number[] }[];
}
const infer = async (path = 'small-recovery') => {
  const response = await post(`/v2/models/${path}/infer`, {
    parameters: { rule: 'fixed', depth: 5 },
    inputs: [jsonInput],
  });
  expect(response.statusCode, response.body).toBe(200);
  const { outputs, model_name, model_version } = response.json<Answer>();
  return { model_name, model_version, signal: outputs.find(({ name }) => name === 'signal')!.data };
};
interface Row {
  name: string;
  version: string;
  state: string;
  reason: string;
}
const rows = async (name = 'small-recovery') =>
  (await post('/v2/repository/index')).json<Row[]>().filter((row) => row.name === name);
const metric = async (series: string) =>
  (await service.app.inject('/metrics')).body
    .split('\n')
    .find((line) => line.startsWith(`${series} `))
    ?.slice(series.length + 1);

describe('a model that is replaced', () => {
  it('answers every request under load, from one bundle or the other', async () => {
    const before = await infer();
    await place([version('2')], 'small-recovery');
    const answers: Awaited<ReturnType<typeof infer>>[] = [];
    let isLoaded = false;
    const traffic = Array.from({ length: 4 }, async () => {
      for (let after = 0; after < 10; after += Number(isLoaded)) answers.push(await infer());
    });
    const loaded = await change('load');
    expect(loaded.json()).toEqual({ name: 'small-recovery', version: '2', state: 'READY' });
    const { length } = answers;
    isLoaded = true;
    const after = await infer();
    await Promise.all(traffic);
    expect(length).toBeGreaterThan(10);
    expect(new Set(answers.map((answer) => answer.model_version))).toEqual(new Set(['1', '2']));
    expect(after.model_version).toBe('2');
    expect(after.signal).not.toEqual(before.signal);
    for (const { model_version: v, signal } of answers)
      signal.forEach((value, i) =>
        expect(value).toBeCloseTo((v === '1' ? before : after).signal[i]!, 5),
      );
    expect((await service.app.inject('/v1/models/small-recovery')).json()).toMatchObject({
      version: '2',
    });
    expect(service.engine.pending).toBe(0);
  });

  it('finishes what it has begun, streams too', async () => {
    const { engine, app } = service;
    const data = Float32Array.from({ length: 256 * 256 }, (_, i) => Math.sin(i));
    const sample = { image: { data, dims: [1, 256, 256] } };
    const full = { rule: 'fixed', depth: 4 } as const;
    const [before] = (await engine.run('small-gray', [sample], full)).samples;
    const weights = new Map(
      [...gray!.weights].map(([name, all]) => [name, all.map((v) => v * 1.1)]),
    );
    await place([{ ...gray!, weights, change: { version: '7' } }], 'small-gray');
    const samples = new Array<typeof sample>(64).fill(sample);
    const running: ReturnType<typeof engine.run>[] = [];
    let isLoaded = false;
    const traffic = (async () => {
      for (; !isLoaded; await running.at(-2)) running.push(engine.run('small-gray', samples, full));
    })();
    const stream = app.inject({
      method: 'POST',
      url: '/v1/tensor?model=small-gray&rule=fixed&depth=4',
      headers: { 'content-type': 'application/x-npy', accept: 'text/event-stream' },
      payload: Buffer.from(
        writeNpy({ shape: [2, 1, 64, 64], data: new Float32Array(2 * 64 * 64) }),
      ),
    });
    const loaded = await change('load', 'small-gray');
    isLoaded = true;
    expect(loaded.statusCode, loaded.body).toBe(200);
    expect(engine.pending).toBeGreaterThan(0);
    const after = (await engine.run('small-gray', [sample], full)).samples[0]!;
    const bytes = ({ outputs }: SampleResult) => Buffer.from(outputs.denoised!.data.buffer);
    expect(bytes(after).equals(bytes(before!))).toBe(false);
    await traffic;
    const mixtures = (await Promise.all(running)).map((result) => {
      const isOld = result.samples.map((one) => bytes(one).equals(bytes(before!)));
      for (const [i, one] of result.samples.entries())
        expect(isOld[i] || bytes(one).equals(bytes(after))).toBe(true);
      return new Set(isOld);
    });
    // Each request has one bundle for all of its samples; the first one came before the new bundle.
    expect(mixtures.map(({ size }) => size)).toEqual(running.map(() => 1));
    expect(mixtures[0]).toEqual(new Set([true]));
    const said = (await stream).body;
    expect(said).toMatch(/event: result\n/);
    expect(said.match(/"depth":4,[^\n]*"stopped":true/g)).toHaveLength(2);
    expect(await rows('small-gray')).toMatchObject([{ version: '7', state: 'READY' }]);
  });
});

describe('a bundle that fails', () => {
  it('is refused with the file and the reason, and the one before is served on', async () => {
    const before = await infer();
    await place([version('3')], 'small-recovery');
    const weights = join(modelsDir, 'small-recovery', 'weights.safetensors');
    const sound = await readFile(weights);
    await appendFile(weights, 'x');
    const refused = await change('load');
    expect([refused.statusCode, refused.json<{ error: string }>().error]).toEqual([
      400,
      expect.stringMatching(/weights\.safetensors has \d+ bytes, not the \d+/),
    ]);
    expect(await infer()).toEqual(before);
    expect(await rows()).toEqual([
      {
        name: 'small-recovery',
        version: '2',
        state: 'READY',
        reason: expect.stringMatching(/^not replaced: .*weights\.safetensors/),
      },
    ]);
    const gauge = 'stopwise_bundle_refused{model="small-recovery"}';
    expect(await metric(gauge)).toBe('1');
    await writeFile(weights, sound);
    expect((await change('load')).statusCode).toBe(200);
    expect((await infer()).model_version).toBe('3');
    expect(await rows()).toMatchObject([{ version: '3', state: 'READY', reason: '' }]);
    expect(await metric(gauge)).toBe('0');
  });

  it('in a worker alone leaves every worker with the one before', async () => {
    const before = await infer();
    // Its ports are those of the manifest, but no ONNX Runtime has such an operator.
    const bundle = version('4', {}, 'odd');
    const folder = join(await writeModels([bundle]), 'odd');
    const file = join(folder, 'layer-05.onnx');
    const odd = await readFile(file);
    odd.write('Xat', odd.indexOf('MatMul'));
    await writeFile(file, odd);
    const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as Manifest;
    manifest.files['layer-05.onnx'] = { sha256: checksum(odd), bytes: odd.length };
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
    await cp(folder, join(modelsDir, 'odd'), { recursive: true });
    expect((await change('load', 'odd')).json()).toEqual({
      error: expect.stringMatching(/layer-05\.onnx cannot be loaded/),
    });
    expect(await rows('odd')).toMatchObject([{ state: 'UNAVAILABLE', version: '' }]);
    expect((await post('/v2/models/odd/infer', { inputs: [jsonInput] })).statusCode).toBe(503);
    expect(await infer()).toEqual(before);
    await rm(join(modelsDir, 'odd'), { recursive: true });
  });
});

const modelOfDefault = async () => {
  const response = await post('/v1/recover', { measurements: new Array<number>(12).fill(0.1) });
  return response.statusCode === 200
    ? response.json<{ model: string }>().model
    : response.statusCode;
};

describe('the default', () => {
  it('is the one that was loaded last, and that before once it is unloaded', async () => {
    expect(await modelOfDefault()).toBe('small-recovery');
    await place([version('1', {}, 'second')], 'second');
    expect((await change('load', 'second')).statusCode).toBe(200);
    expect(await modelOfDefault()).toBe('second');
    const { models } = (await service.app.inject('/v1/models')).json<{ models: Manifest[] }>();
    const defaults = models.filter(({ task, default: is }) => is && task === 'sparse-recovery');
    expect(defaults.map(({ name }) => name)).toEqual(['second']);
    expect(await metric('stopwise_requests_total{model="second",outcome="ok"}')).toBe('1');
    expect((await change('unload', 'second')).json()).toMatchObject({ state: 'UNAVAILABLE' });
    expect(await modelOfDefault()).toBe('small-recovery');
  });

  it('may be unloaded: then it is not there, until it is loaded again', async () => {
    expect(
      (await change('unload', undefined, { parameters: { unload_dependents: true } })).statusCode,
    ).toBe(200);
    expect(await modelOfDefault()).toBe(404);
    expect(
      (await post('/v2/models/small-recovery/infer', { inputs: [jsonInput] })).statusCode,
    ).toBe(404);
    expect(await rows()).toEqual([
      { name: 'small-recovery', version: '', state: 'UNAVAILABLE', reason: 'unloaded' },
    ]);
    expect((await change('unload')).statusCode).toBe(404);
    expect((await change('load')).statusCode).toBe(200);
    expect(await modelOfDefault()).toBe('small-recovery');
  });
});

it('versions stand side by side in folders NAME@VERSION', async () => {
  await place([version('9')], 'small-recovery@9');
  expect((await change('load', 'small-recovery@9')).statusCode).toBe(200);
  const { versions } = (await service.app.inject('/v2/models/small-recovery')).json<{
    versions: string[];
  }>();
  expect(versions.sort()).toEqual(['3', '9']);
  const [plain, nine] = [await infer(), await infer('small-recovery/versions/9')];
  expect([plain.model_version, nine.model_version]).toEqual(['3', '9']);
  expect(nine.model_name).toBe('small-recovery');
  expect(nine.signal).not.toEqual(plain.signal);
  expect((await infer('small-recovery/versions/3')).signal).toEqual(plain.signal);
  expect((await service.app.inject('/v2/models/small-recovery/versions/5')).json()).toEqual({
    error: 'small-recovery has no version 5; its versions are 3, 9.',
  });
  expect(await modelOfDefault()).toBe('small-recovery');
});

describe('a change', () => {
  it.each([
    ['of a folder that is not there', 'nothing', {}, 404, /no folder nothing/],
    ['outside the folder', '..%2Fsmall-gray', {}, 404, /cannot be the name/],
    ['with a configuration', 'small-gray', { parameters: { config: '{}' } }, 400, /config is not/],
  ])('%s is refused', async (_, name, payload, status, message) => {
    const { statusCode, body } = await change('load', name, payload);
    expect([statusCode, body]).toEqual([status, expect.stringMatching(message)]);
  });

  it('waits for the one before', async () => {
    const all = await Promise.all([change('load'), change('unload'), change('load')]);
    expect(all.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
    await wait(10);
    expect((await infer()).model_version).toBe('3');
  });
});
