/** The container limit that docs/operations.md gives for images of at most 512×512, enforced by the kernel. */
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { afterEach, expect, it } from 'vitest';
import { Random } from '../../src/data/random.ts';
import { startProcess, type Process } from './process.ts';

const LIMIT_BYTES = 2 ** 30;
let service: Process;
afterEach(() => void service.child.kill('SIGKILL'));

/** Most bytes that were ever resident. */
const peak = (pid: number): number =>
  1024 * Number(/^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

function noise(side: number): Promise<Buffer> {
  const random = new Random(1);
  const pixels = Uint8Array.from({ length: 3 * side * side }, () => 256 * random.uniform());
  return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();
}

it.runIf(process.platform === 'linux')(
  'two workers answer images of 512×512, sixteen at once beside larger ones, within 1 GiB',
  async () => {
    // Data segments hold all private memory that can be written, touched or not: more than what is resident.
    service = await startProcess(
      { MODELS_DIR: 'models', WORKERS: '2', MAX_PIXELS: '262144', MAX_MEMORY_BYTES: '268435456' },
      ['dist/main.js'],
      `-d ${LIMIT_BYTES / 1024}`,
    );
    const [fitting, large] = await Promise.all([noise(512), noise(2000)]);
    const ask = async (image: Buffer): Promise<number> => {
      const answer = await fetch(`${service.url}/v1/denoise`, {
        method: 'POST',
        headers: { 'content-type': 'image/png' },
        body: new Uint8Array(image),
      });
      await answer.arrayBuffer();
      return answer.status;
    };
    const answers = await Promise.all([
      ...Array.from({ length: 16 }, () => ask(fitting)),
      ...Array.from({ length: 16 }, () => ask(large)),
    ]);
    expect(answers.slice(0, 16).every((status) => [200, 429].includes(status))).toBe(true);
    expect(answers.filter((status) => status === 200).length).toBeGreaterThanOrEqual(4);
    expect(answers.slice(16).every((status) => [413, 429].includes(status))).toBe(true);
    expect(await ask(fitting)).toBe(200);
    expect(peak(service.child.pid!)).toBeLessThan(LIMIT_BYTES);
  },
  120_000,
);
