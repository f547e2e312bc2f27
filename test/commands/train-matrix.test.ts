/** `train` for the matrices and signals of callers: any scale and shape, or refused with a sentence. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { readManifest } from '../../src/bundle/read.ts';
import { writeNpy } from '../../src/codecs/npy.ts';
import { trainCommand } from '../../src/commands/train.ts';
import { Random } from '../../src/data/random.ts';

let place: string;
let count = 0;

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'stopwise-matrices-'));
  const quick = { depth: 12, exits: [8, 12], snr: [40], batch: 8, stageOne: { steps: 2 }, stageTwo: { steps: 2 } }; // prettier-ignore
  await writeFile(join(place, 'quick.json'), JSON.stringify(quick));
});
afterAll(() => rm(place, { recursive: true }));

let printed: string[];
beforeEach(() => {
  printed = [];
  for (const method of ['log', 'error'] as const)
    vi.spyOn(console, method).mockImplementation((text) => void printed.push(String(text)));
  vi.spyOn(console, 'table').mockReturnValue();
});

const random = new Random(4);
const normal = (length: number, scale = 1): Float64Array =>
  Float64Array.from({ length }, () => scale * random.normal());

/** Trains for a matrix given as the bytes of a file. @returns NMSE at 40 dB, dB, all layers */
async function train(matrix: Uint8Array, ...more: string[]): Promise<number> {
  const name = `own-${++count}`;
  await writeFile(join(place, `${name}.npy`), matrix);
  const folders = { models: join(place, 'models'), checkpoints: join(place, 'checkpoints') };
  const flags = ['--matrix', join(place, `${name}.npy`), '--name', name, '--threads', '1'];
  const config = ['--config', join(place, 'quick.json')];
  await trainCommand(['sparse-recovery', ...flags, ...config, ...more], folders);
  const { measured } = await readManifest(join(folders.models, name));
  return measured!.threshold.find(({ condition }) => condition.snr_db === 40)!.full_depth_quality;
}

it('learns for a matrix of tiny scale as for any other', async () => {
  const data = normal(64 * 128);
  const usual = await train(writeNpy({ shape: [64, 128], data }));
  const tiny = await train(writeNpy({ shape: [64, 128], data: data.map((a) => 4e-8 * a) }));
  expect(usual).toBeLessThan(-38);
  expect(Math.abs(tiny - usual)).toBeLessThan(0.5);
  expect(printed.filter((line) => line.startsWith('Ready'))).toHaveLength(2);
}, 120_000);

it('learns from signals of tiny scale as from any others', async () => {
  const signals = Float64Array.from({ length: 300 * 24 }, () =>
    random.uniform() < 0.1 ? random.normal() : 0,
  );
  const matrix = writeNpy({ shape: [30, 24], data: normal(30 * 24) });
  const qualities: number[] = [];
  for (const scale of [1, 1e-7]) {
    const data = signals.map((x) => scale * x);
    await writeFile(join(place, 'S.npy'), writeNpy({ shape: [300, 24], data }));
    qualities.push(await train(matrix, '--data', join(place, 'S.npy')));
  }
  // The signals are rounded to float32 differently; without normalisation nothing would be recovered.
  expect(Math.abs(qualities[1]! - qualities[0]!)).toBeLessThan(3);
}, 120_000);

it('says that a model is of no use where nothing is recovered', async () => {
  await train(writeNpy({ shape: [1, 40], data: normal(40) }));
  expect(printed.join('\n')).toMatch(
    /own-\d+ is of no use: at best it leaves an NMSE of -?[\d.]+ dB/,
  );
  expect(printed.join('\n')).not.toMatch(/Ready/);
}, 120_000);

it('refuses a matrix of zeros', async () => {
  const zeros = writeNpy({ shape: [8, 16], data: new Float64Array(8 * 16) });
  await expect(train(zeros)).rejects.toThrow(/is a matrix of zeros/);
});

it('refuses a matrix beyond float32', async () => {
  const large = writeNpy({ shape: [2, 3], data: Float64Array.of(1, 0, 1e39, 0, 1, 1) });
  await expect(train(large)).rejects.toThrow(/beyond float32/);
});

it('refuses a complex matrix, naming its real form', async () => {
  const complex = writeNpy({ shape: [2, 4], data: normal(8) });
  const header = Buffer.from(complex).toString('latin1').replace("'<f8'", "'<c8'");
  await expect(train(Buffer.from(header, 'latin1'))).rejects.toThrow(
    /complex \(<c8\).*\[\[Re A, −Im A\], \[Im A, Re A\]\]/,
  );
});
