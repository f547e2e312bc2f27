import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { loadBundles } from '../../src/bundle/read.ts';
import { Random } from '../../src/data/random.ts';
import { readOut, runSegment } from '../../src/engine/worker/executor.ts';
import { Job } from '../../src/engine/worker/jobs.ts';
import { releaseModel } from '../../src/engine/worker/models.ts';
import type { Sample } from '../../src/engine/types.ts';
import { loadModels } from '../../src/engine/worker/providers.ts';
import { providerLoadError, type Tensor } from '../../src/runtime/session.ts';
import { expectClose } from '../graph/check.ts';
import { startSmallService, type SmallService } from '../server/support.ts';
import { smallModels, startSmallEngine, writeModels } from '../support/small.ts';
import { writeTwoForms } from '../support/two-forms.ts';

const driver = process.env.VK_ICD_FILENAMES ?? process.env.VK_DRIVER_FILES;
const there = {
  webgpu: driver !== undefined && existsSync(driver),
  cuda: existsSync('/dev/nvidia0') && (await providerLoadError('cuda')) === undefined,
};
if (!there.webgpu)
  console.warn(
    "The WebGPU tests are skipped: set VK_ICD_FILENAMES to a Vulkan driver, such as the software one of Debian's chromium.",
  );
if (!there.cuda)
  console.warn('The CUDA tests are skipped: its libraries and an NVIDIA GPU are not here.');

describe.each(['webgpu', 'cuda'] as const)('the %s provider', (provider) => {
  const test = it.skipIf(!there[provider]);
  const random = new Random(3);
  const draw = (length: number): Float32Array =>
    Float32Array.from({ length }, () => random.uniform());

  test('gives the answers of the CPU at every exit, whether the state stays on the device or not', async () => {
    const modelsDir = await writeModels(smallModels());
    const [cpu, gpu] = [
      await startSmallEngine({ modelsDir }),
      await startSmallEngine({ modelsDir, provider }),
    ];
    expect(gpu.provider).toBe(provider);
    expect(gpu.refused).toEqual([]);
    const samples: Record<string, Sample> = {
      'small-recovery': { measurements: { data: draw(12), dims: [12] } },
      'small-gray': { image: { data: draw(16 * 20), dims: [1, 16, 20] } },
      'small-color': { image: { data: draw(3 * 18 * 12), dims: [3, 18, 12] } },
    };
    for (const { name, family } of smallModels()) {
      for (const depth of family.exits) {
        const [a, b] = await Promise.all(
          [cpu, gpu].map((engine) =>
            engine.run(name, [samples[name]!, samples[name]!], { rule: 'fixed', depth }),
          ),
        );
        for (const i of [0, 1]) {
          expectClose(b!.samples[i]!.pi, a!.samples[i]!.pi, 1e-3);
          const [x, y] = [a!, b!].map(
            (result) => Object.values(result.samples[i]!.outputs)[0]!.data,
          );
          expectClose(y!, x!, 1e-3);
        }
      }
    }
    await Promise.all([cpu.close(), gpu.close()]);
  }, 120_000);

  test('runs float alone, and says so', async () => {
    const modelsDir = await mkdtemp(join(tmpdir(), 'stopwise-'));
    await writeTwoForms(modelsDir, 'forms');
    const engine = await startSmallEngine({ modelsDir, provider, variants: 'auto' });
    const sample = { x: { data: new Float32Array(4).fill(0.6), dims: [4] } };
    const { samples } = await engine.run('forms', [sample], { rule: 'fixed', depth: 3 });
    expect(samples[0]!.variant).toBe('float');
    expectClose(samples[0]!.outputs.y!.data, [0.075, 0.075, 0.075, 0.075], 1e-5);
    expect(engine.repository.variantDeclined('forms', 'int8')).toBe(
      `the ${provider} provider runs float alone`,
    );
    await engine.close();
  }, 120_000);

  test('answers the routes as the CPU does', async () => {
    const modelsDir = await writeModels(smallModels());
    const services = [
      await startSmallService({ modelsDir }),
      await startSmallService({ modelsDir, provider }),
    ] as const;
    const picture = await sharp(
      Uint8Array.from({ length: 3 * 40 * 30 }, () => random.integer(256)),
      {
        raw: { width: 40, height: 30, channels: 3 },
      },
    )
      .png()
      .toBuffer();
    const ask = async ({ app }: SmallService) => {
      const recovered = await app.inject({
        method: 'POST',
        url: '/v1/recover?rule=fixed&depth=4',
        headers: { 'content-type': 'application/json' },
        payload: JSON.stringify({
          measurements: Array.from({ length: 12 }, (_, i) => Math.sin(i)),
        }),
      });
      const denoised = await app.inject({
        method: 'POST',
        url: '/v1/denoise?rule=fixed&depth=3',
        headers: { 'content-type': 'image/png' },
        payload: picture,
      });
      expect([recovered.statusCode, denoised.statusCode]).toEqual([200, 200]);
      const { signals } = recovered.json<{ signals: [number[]] }>();
      return {
        signal: signals[0],
        depth: denoised.headers['x-stop-depth'],
        pixels: await sharp(denoised.rawPayload).raw().toBuffer(),
      };
    };
    const [cpu, gpu] = [await ask(services[0]), await ask(services[1])];
    expectClose(gpu.signal, cpu.signal, 1e-3);
    expect(gpu.depth).toBe(cpu.depth);
    expectClose(gpu.pixels, cpu.pixels, 1);
    for (const service of services) await service.close();
  }, 120_000);

  it.skipIf(provider !== 'webgpu' || !there.webgpu)(
    'leaves no tensor on the device after 1,000 requests, whatever the depth at which they stop',
    async () => {
      const { bundles } = await loadBundles(
        await writeModels(smallModels().filter(({ name }) => name === 'small-gray')),
      );
      const { models } = await loadModels({
        bundles,
        provider: 'webgpu',
        threads: 1,
        regroup: false,
      });
      const model = models.get('small-gray')!;
      const seen: Tensor[] = [];
      for (const { session } of model.segments) {
        const run = session.run.bind(session);
        session.run = async (...args) => {
          const outputs = await run(...args);
          for (const value of Object.values(outputs))
            if (value.location !== 'cpu') seen.push(value);
          return outputs;
        };
      }
      for (let i = 0; i < 1000; i++) {
        const depth = model.manifest.exits[i % 3]!;
        const job = new Job(
          i,
          model,
          [{ image: { data: draw(64), dims: [1, 8, 8] } }],
          { rule: 'fixed', depth },
          0,
        );
        for (let going = job.items; going.length > 0;) {
          const result = await runSegment(model, going, Number.POSITIVE_INFINITY);
          if (result.stopped.length > 0) await readOut(model, result.stopped);
          going = result.going;
        }
        await job.result;
      }
      // 334 requests stopped after one segment, 333 after two, 333 after three.
      expect(seen.length).toBe(1999);
      expect(seen.filter(({ location }) => location !== 'none')).toEqual([]);
      await releaseModel(model);
    },
    120_000,
  );
});
