import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import type { Sample } from '../../src/engine/types.ts';
import { smallModels, startSmallEngine, writeModels } from '../support/small.ts';
import { expectClose } from '../graph/check.ts';

const driver = process.env.VK_ICD_FILENAMES ?? process.env.VK_DRIVER_FILES;
const there = driver !== undefined && existsSync(driver);
if (!there)
  console.warn("The WebGPU tests are skipped: set VK_ICD_FILENAMES to a Vulkan driver, such as the software one of Debian's chromium.");

describe.skipIf(!there)('the WebGPU provider', () => {
  it('gives the answers of the CPU at every exit, with the state on the device', async () => {
    const modelsDir = await writeModels(smallModels());
    const [cpu, gpu] = [await startSmallEngine({ modelsDir }), await startSmallEngine({ modelsDir, provider: 'webgpu' })];
    expect(gpu.provider).toBe('webgpu');
    expect(gpu.refused).toEqual([]);
    const random = new Random(3);
    const draw = (length: number): Float32Array => Float32Array.from({ length }, () => random.uniform());
    const samples: Record<string, Sample> = {
      'small-recovery': { measurements: { data: draw(12), dims: [12] } },
      'small-gray': { image: { data: draw(16 * 20), dims: [1, 16, 20] } },
      'small-color': { image: { data: draw(3 * 18 * 12), dims: [3, 18, 12] } },
    };
    for (const { name, family } of smallModels()) {
      for (const depth of family.exits) {
        const [a, b] = await Promise.all(
          [cpu, gpu].map((engine) => engine.run(name, [samples[name]!, samples[name]!], { rule: 'fixed', depth })),
        );
        for (const i of [0, 1]) {
          expectClose(b!.samples[i]!.pi, a!.samples[i]!.pi, 1e-3);
          const [x, y] = [a!, b!].map((result) => Object.values(result.samples[i]!.outputs)[0]!.data);
          expectClose(y!, x!, 1e-3);
        }
      }
    }
    await Promise.all([cpu.close(), gpu.close()]);
  }, 120_000);
});
