/** A folder of small data and configurations, and the commands run in it. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { vi } from 'vitest';
import { writeNpy } from '../../src/codecs/npy.ts';
import { evaluateCommand } from '../../src/commands/evaluate.ts';
import { trainCommand } from '../../src/commands/train.ts';
import { Random } from '../../src/data/random.ts';
import { measurementMatrix } from '../../src/data/sparse-recovery.ts';

// Read once: a command that runs in this process changes it for a while.
const root = process.cwd();

/** A temporary folder with matrices, signals, images, class folders and quick configurations. */
export async function prepareFolder(): Promise<string> {
  const place = await mkdtemp(join(tmpdir(), 'stopwise-commands-'));
  await writeArrays(place);
  await writeConfigurations(place);
  await writeClasses(place);
  await writeImages(place);
  return place;
}

async function writeArrays(place: string): Promise<void> {
  const { data } = measurementMatrix(10, 20, new Random(1));
  await writeFile(join(place, 'A.npy'), writeNpy({ shape: [10, 20], data }));
  await writeFile(
    join(place, 'cube.npy'),
    writeNpy({ shape: [2, 2, 2], data: new Float32Array(8) }),
  );
  await writeFile(
    join(place, 'nan.npy'),
    writeNpy({ shape: [2, 2], data: new Float32Array(4).fill(Number.NaN) }),
  );
  await writeFile(join(place, 'words.npy'), 'these are words');
  const signals = Float32Array.from(
    { length: 30 * 20 },
    (_, i) => Math.sin(i * i) / (1 + (i % 20)),
  );
  await writeFile(join(place, 'signals.npy'), writeNpy({ shape: [30, 20], data: signals }));
  await writeFile(
    join(place, 'one-signal.npy'),
    writeNpy({ shape: [1, 20], data: signals.slice(0, 20) }),
  );
  await writeFile(
    join(place, 'holes.npy'),
    writeNpy({ shape: [2, 20], data: new Float32Array(40).fill(Number.POSITIVE_INFINITY) }),
  );
}

async function writeConfigurations(place: string): Promise<void> {
  await writeFile(
    join(place, 'quick.json'),
    JSON.stringify({ depth: 3, batch: 8, stageOne: { steps: 4 }, stageTwo: { steps: 3 } }),
  );
  await writeFile(
    join(place, 'quick-denoise.json'),
    JSON.stringify({
      features: 4,
      depth: 3,
      exits: [2, 3],
      patch: 16,
      batch: 2,
      stageOne: { steps: 3 },
      stageTwo: { steps: 2 },
    }),
  );
  const quick = { steps: 2, rate: 1e-3, beta: 1 };
  const small = { side: 8, features: 4, depth: 2, exits: [1, 2], shots: [1, 1], queries: 1 };
  await writeFile(
    join(place, 'quick-few-shot.json'),
    JSON.stringify({ ...small, warmUp: quick, stageOne: quick, stageTwo: { steps: 2, tasks: 4 } }),
  );
  const network = { side: 8, widths: [4, 4], blocks: [1, 1], exits: [1, 2], crop: 8, batch: 4 };
  await writeFile(
    join(place, 'quick-recognize.json'),
    JSON.stringify({ ...network, stageOne: { steps: 3 }, stageTwo: { steps: 2 } }),
  );
  await writeFile(join(place, 'odd.json'), JSON.stringify({ stepsize: 3 }));
  await writeFile(join(place, 'third.json'), JSON.stringify({ order: 'third' }));
}

async function writeClasses(place: string): Promise<void> {
  for (let k = 0; k < 5; k++) {
    await mkdir(join(place, 'classes', `class-${k}`), { recursive: true });
    for (let i = 0; i < 3; i++) {
      const background = { r: 50 * k, g: 60 * i, b: 200 - 50 * k };
      await sharp({ create: { width: 10, height: 10, channels: 3, background } }).toFile(
        join(place, 'classes', `class-${k}`, `${i}.png`),
      );
    }
  }
  for (let k = 0; k < 6; k++) {
    await mkdir(join(place, 'characters', `character-${k}`), { recursive: true });
    for (let i = 0; i < 7; i++) {
      const noise = { type: 'gaussian', mean: 40 * k + 20, sigma: 10 } as const;
      const image = sharp({
        create: { width: 10, height: 10, channels: 3, background: '#888', noise },
      });
      await image.toFile(join(place, 'characters', `character-${k}`, `${i}.png`));
    }
  }
}

async function writeImages(place: string): Promise<void> {
  await mkdir(join(place, 'empty'));
  await mkdir(join(place, 'images'));
  // Images are dealt to training and selection by their content: the same ones each time.
  const random = new Random(1);
  for (let i = 0; i < 3; i++) {
    const raw = { width: 32, height: 24, channels: 3 } as const;
    const pixels = Uint8Array.from({ length: 32 * 24 * 3 }, () => random.integer(256));
    await sharp(pixels, { raw }).toFile(join(place, 'images', `${i}.png`));
  }
  await mkdir(join(place, 'broken'));
  await writeFile(join(place, 'broken', 'a.png'), 'no image');
}

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `train` or `evaluate` in this process, in the folder; other commands in a process of their own. */
export function commandIn(place: string, ...args: string[]): Promise<Outcome> {
  const [name, ...rest] = args;
  if (rest.includes('--help')) return spawned(place, args);
  if (name === 'train') return inProcess(place, trainCommand, rest);
  return name === 'evaluate' ? inProcess(place, evaluateCommand, rest) : spawned(place, args);
}

async function inProcess(
  place: string,
  run: (args: readonly string[]) => Promise<void>,
  args: readonly string[],
): Promise<Outcome> {
  const printed: string[] = [];
  const log = vi
    .spyOn(console, 'log')
    .mockImplementation((text) => void printed.push(String(text)));
  const table = vi.spyOn(console, 'table').mockReturnValue();
  process.chdir(place);
  try {
    await run(args);
    return { code: 0, out: `${printed.join('\n')}\n`, err: '' };
  } catch (error) {
    return { code: 1, out: printed.join('\n'), err: (error as Error).message };
  } finally {
    process.chdir(root);
    log.mockRestore();
    table.mockRestore();
  }
}

/** Runs a command in the folder, as `npm run` would in the repository. */
function spawned(place: string, args: readonly string[]): Promise<Outcome> {
  const cli = join(root, 'dist/cli.js');
  return new Promise((done) => {
    execFile(process.execPath, [cli, ...args], { cwd: place }, (error, out, err) => {
      done({ code: error ? Number(error.code ?? 1) : 0, out, err });
    });
  });
}
