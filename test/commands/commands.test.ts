import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { loadBundle } from '../../src/bundle/read.ts';
import { writeManifest } from '../../src/bundle/write.ts';
import { writeNpy } from '../../src/codecs/npy.ts';
import { evaluateCommand } from '../../src/commands/evaluate.ts';
import { trainCommand } from '../../src/commands/train.ts';
import { Random } from '../../src/data/random.ts';
import { measurementMatrix } from '../../src/data/sparse-recovery.ts';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'stopwise-commands-'));
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
  await writeFile(join(place, 'odd.json'), JSON.stringify({ stepsize: 3 }));
  await writeFile(join(place, 'third.json'), JSON.stringify({ order: 'third' }));
  await mkdir(join(place, 'empty'));
  await mkdir(join(place, 'images'));
  for (let i = 0; i < 3; i++) {
    const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const;
    await sharp({
      create: { width: 32, height: 24, channels: 3, background: '#888', noise },
    }).toFile(join(place, 'images', `${i}.png`));
  }
  await mkdir(join(place, 'broken'));
  await writeFile(join(place, 'broken', 'a.png'), 'no image');
});

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `train` or `evaluate` in this process, in the temporary folder; other commands in a process of their own. */
function command(...args: string[]): Promise<Outcome> {
  const [name, ...rest] = args;
  if (rest.includes('--help')) return spawned(...args);
  if (name === 'train') return inProcess(trainCommand, rest);
  return name === 'evaluate' ? inProcess(evaluateCommand, rest) : spawned(...args);
}

async function inProcess(
  run: (args: readonly string[]) => Promise<void>,
  args: readonly string[],
): Promise<Outcome> {
  const root = process.cwd();
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

/** Runs a command in the temporary folder, as `npm run` would in the repository. */
function spawned(...args: string[]): Promise<Outcome> {
  const cli = resolve('dist/cli.js');
  return new Promise((done) => {
    execFile(process.execPath, [cli, ...args], { cwd: place }, (error, out, err) => {
      done({ code: error ? Number(error.code ?? 1) : 0, out, err });
    });
  });
}

describe('train and evaluate', () => {
  it('learn a model for a matrix of one’s own, measure it, go on from it, and evaluate it as JSON', async () => {
    const trained = await command(
      'train',
      'sparse-recovery',
      '--matrix',
      'A.npy',
      '--config',
      'quick.json',
      '--threads',
      '1',
    );
    expect(trained).toMatchObject({ code: 0 });
    expect(trained.out).toMatch(/Ready: npm start serves it.*sparse-recovery-a/);
    const { manifest } = await loadBundle(join(place, 'models', 'sparse-recovery-a'));
    expect(manifest).toMatchObject({
      task: 'sparse-recovery',
      depth: 3,
      default: false,
      training: { seed: 1 },
    });
    expect(manifest.inputs[0]!.shape).toEqual(['N', 10]);
    expect(manifest.measured!.exits).toHaveLength(3);
    expect(manifest.threshold).toBeGreaterThan(0);

    await cp(join(place, 'models', 'sparse-recovery-a'), join(place, 'models', 'earlier'), {
      recursive: true,
    });
    await writeManifest(join(place, 'models', 'earlier'), {
      ...manifest,
      name: 'earlier',
      default: true,
    });
    const again = await command(
      'train',
      'sparse-recovery',
      '--matrix',
      'A.npy',
      '--config',
      'quick.json',
      '--from',
      'sparse-recovery-a',
      '--name',
      'tuned',
      '--default',
    );
    expect(again).toMatchObject({ code: 0 });
    expect(again.out).toContain('earlier is the default no longer.');
    expect((await loadBundle(join(place, 'models', 'earlier'))).manifest.default).toBe(false);
    await rm(join(place, 'models', 'earlier'), { recursive: true });
    const { manifest: tuned } = await loadBundle(join(place, 'models', 'tuned'));
    expect(tuned.default).toBe(true);
    expect(tuned.training.from).toEqual({ name: 'sparse-recovery-a', ...manifest.training });

    const evaluated = await command(
      'evaluate',
      'sparse-recovery',
      '--model',
      'tuned',
      '--count',
      '5',
      '--json',
    );
    expect(evaluated.code).toBe(0);
    const { model, task, rows } = JSON.parse(evaluated.out) as {
      model: string;
      task: string;
      rows: Record<string, unknown>[];
    };
    expect({ model, task }).toEqual({ model: 'tuned', task: 'sparse-recovery' });
    expect(rows.map(({ condition }) => condition)).toEqual([
      { snr_db: 20 },
      { snr_db: 30 },
      { snr_db: 40 },
      { snr_db: 'mixed' },
    ]);
    for (const row of rows) {
      expect(row).toMatchObject({ metric: 'nmse_db', max_depth: 3 });
      for (const key of [
        'quality',
        'full_depth_quality',
        'mean_depth',
        'ms_per_sample',
        'full_depth_ms_per_sample',
        'n',
      ]) {
        expect(Number.isFinite(row[key]), key).toBe(true);
      }
    }
  }, 60_000);

  it('learn from signals of one’s own, with a tenth held out to measure on', async () => {
    const of = ['sparse-recovery', '--data', 'signals.npy'];
    const trained = await command(
      'train',
      ...of,
      '--matrix',
      'A.npy',
      '--config',
      'quick.json',
      '--name',
      'own',
      '--threads',
      '1',
    );
    expect(trained).toMatchObject({ code: 0 });
    const { manifest } = await loadBundle(join(place, 'models', 'own'));
    expect(manifest).toMatchObject({
      training: { data: '27 signals' },
      outputs: [{ shape: ['N', 20] }],
    });
    expect(manifest.measured!.data).toMatch(/^3 signals, held out of signals\.npy/);
    const evaluated = await command(
      'evaluate',
      ...of,
      '--model',
      'own',
      '--snr',
      '30',
      '--count',
      '4',
      '--json',
    );
    expect(JSON.parse(evaluated.out)).toMatchObject({
      rows: [{ condition: { snr_db: 30 }, metric: 'nmse_db', n: 4 }],
    });
  }, 60_000);

  it('learn from a folder of images, with one held out to measure on', async () => {
    const trained = await command(
      'train',
      'denoise',
      '--data',
      'images',
      '--config',
      'quick-denoise.json',
      '--threads',
      '1',
    );
    expect(trained).toMatchObject({ code: 0 });
    const { manifest } = await loadBundle(join(place, 'models', 'denoise-color-images'));
    expect(manifest.training).toMatchObject({ data: '2 images' });
    expect(manifest.measured!.data).toMatch(/^1 images, held out of images/);
    const evaluated = await command(
      'evaluate',
      'denoise',
      '--data',
      'images',
      '--sigma',
      '25,50',
      '--record',
      '--json',
    );
    const { rows } = JSON.parse(evaluated.out) as {
      rows: { condition: object; metric: string; n: number }[];
    };
    expect(rows.map(({ condition, metric, n }) => ({ condition, metric, n }))).toEqual([
      { condition: { sigma: 25 }, metric: 'psnr_db', n: 3 },
      { condition: { sigma: 50 }, metric: 'psnr_db', n: 3 },
    ]);
    const recorded = JSON.parse(
      await readFile(join(place, 'models', 'denoise-color-images', 'manifest.json'), 'utf8'),
    ) as typeof manifest;
    expect(recorded.measured!.threshold).toEqual(rows);
  }, 60_000);
});

describe('few-shot', () => {
  it('learns to learn from a folder of class folders, with classes held out to measure on, and is evaluated on others', async () => {
    const of = ['few-shot', '--data', 'classes'];
    const trained = await command(
      'train',
      ...of,
      '--ways',
      '2',
      '--config',
      'quick-few-shot.json',
      '--threads',
      '1',
    );
    expect(trained).toMatchObject({ code: 0 });
    const { manifest } = await loadBundle(join(place, 'models', 'few-shot-classes'));
    expect(manifest).toMatchObject({
      task: 'few-shot',
      depth: 2,
      limits: { K: 64 },
      training: { data: '9 images of 3 classes' },
    });
    expect(manifest.measured!.threshold[0]).toMatchObject({
      condition: { ways: 2, shots: 1 },
      metric: 'accuracy',
      n: 60,
    });
    const evaluated = await command(
      'evaluate',
      ...of,
      '--ways',
      '2,3',
      '--shots',
      '1-2,2',
      '--count',
      '3',
      '--queries',
      '1',
      '--json',
    );
    const { rows } = JSON.parse(evaluated.out) as {
      rows: { condition: object; half_width: number; n: number }[];
    };
    expect(rows.map(({ condition }) => condition)).toEqual([
      { ways: 2, shots: '1-2' },
      { ways: 2, shots: 2 },
      { ways: 3, shots: '1-2' },
      { ways: 3, shots: 2 },
    ]);
    for (const { half_width: halfWidth, n } of rows)
      expect({ n, finite: Number.isFinite(halfWidth) }).toEqual({ n: 3, finite: true });
  }, 60_000);
});

describe('few-shot of fixed steps', () => {
  it('learns a model of fixed steps beside the one that stops', async () => {
    const of = [
      'train',
      'few-shot',
      '--data',
      'characters',
      '--ways',
      '2',
      '--config',
      'quick-few-shot.json',
      '--threads',
      '1',
    ];
    expect(await command(...of)).toMatchObject({ code: 0 });
    const { manifest } = await loadBundle(join(place, 'models', 'few-shot-characters'));
    expect(manifest.training).toMatchObject({
      data: '28 images of 4 classes',
      stages: { 'stage-2': { steps: 2 } },
    });
    expect(
      await command(...of, '--form', 'fixed', '--name', 'few-shot-characters-fixed'),
    ).toMatchObject({ code: 0 });
    const { manifest: fixed } = await loadBundle(
      join(place, 'models', 'few-shot-characters-fixed'),
    );
    expect(fixed).toMatchObject({ exits: [2], baseline: true });
    const [row] = fixed.measured!.threshold;
    expect([row!.quality, row!.ms_per_sample]).toEqual([
      row!.full_depth_quality,
      row!.full_depth_ms_per_sample,
    ]);
  }, 180_000);
});

describe('recognition', () => {
  it('learns the classes of a folder and is evaluated by any rule', async () => {
    const of = ['recognize', '--data', 'classes'];
    const trained = await command(
      'train',
      ...of,
      '--config',
      'quick-recognize.json',
      '--threads',
      '1',
    );
    expect(trained).toMatchObject({ code: 0 });
    const directory = join(place, 'models', 'recognize-classes');
    const { manifest } = await loadBundle(directory);
    expect(manifest).toMatchObject({
      task: 'recognize',
      depth: 2,
      policies: ['pi', 'confidence'],
      task_files: ['labels.json'],
      training: { data: '10 images of 5 classes' },
    });
    expect(manifest.thresholds!.confidence).toBeGreaterThan(0);
    expect(JSON.parse(await readFile(join(directory, 'labels.json'), 'utf8'))).toEqual(
      [0, 1, 2, 3, 4].map((k) => `class-${k}`),
    );
    expect(manifest.measured!.threshold[0]).toMatchObject({ metric: 'accuracy', n: 5 });
    const evaluated = await command(
      'evaluate',
      ...of,
      '--rule',
      'confidence',
      '--threshold',
      '1',
      '--count',
      '5',
      '--json',
    );
    expect(JSON.parse(evaluated.out)).toMatchObject({
      task: 'recognize',
      rows: [{ mean_depth: 2, max_depth: 2, n: 5 }],
    });
  }, 120_000);
});

it.each(['train', 'evaluate'])('%s --help says how it is used', async (name) => {
  const { code, out } = await command(name, '--help');
  expect(code).toBe(0);
  expect(out).toMatch(new RegExp(`^npm run ${name}`));
});

describe('a command that cannot work says what to change before it begins', () => {
  it.each<[string, RegExp, string[]]>([
    ['no task', /Say what to train/, ['train']],
    ['an unknown task', /no training for dreaming/, ['train', 'dreaming']],
    ['an unknown flag', /--speed/, ['train', 'sparse-recovery', '--speed', '9']],
    [
      'an unknown form',
      /--form must be one of vamp, coupled, published/,
      ['train', 'sparse-recovery', '--form', 'best'],
    ],
    [
      'an unknown provider',
      /--provider must be one of cpu, webgpu, cuda, not gpu/,
      ['train', 'sparse-recovery', '--provider', 'gpu'],
    ],
    [
      'a matrix that is not there',
      /no file B\.npy/,
      ['train', 'sparse-recovery', '--matrix', 'B.npy'],
    ],
    [
      'a matrix of three dimensions',
      /shape is \(2, 2, 2\), not \(m, n\)/,
      ['train', 'sparse-recovery', '--matrix', 'cube.npy'],
    ],
    ['a matrix with holes', /not finite/, ['train', 'sparse-recovery', '--matrix', 'nan.npy']],
    [
      'a file that is no matrix',
      /words\.npy is not a matrix/,
      ['train', 'sparse-recovery', '--matrix', 'words.npy'],
    ],
    [
      'signals that do not fit the matrix',
      /nan\.npy is not a list of signals.*\(2, 2\), not \(count, 20\)/,
      ['train', 'sparse-recovery', '--matrix', 'A.npy', '--data', 'nan.npy'],
    ],
    [
      'signals with holes',
      /holes\.npy.*not finite/,
      ['train', 'sparse-recovery', '--matrix', 'A.npy', '--data', 'holes.npy'],
    ],
    [
      'signals that are not there',
      /no file S\.npy/,
      ['train', 'sparse-recovery', '--matrix', 'A.npy', '--data', 'S.npy'],
    ],
    [
      'other signals that do not fit',
      /cube\.npy.*\(2, 2, 2\), not/,
      [
        'train',
        'sparse-recovery',
        '--matrix',
        'A.npy',
        '--data',
        'signals.npy',
        '--validate',
        'cube.npy',
      ],
    ],
    [
      'one signal',
      /One signal is too few/,
      ['train', 'sparse-recovery', '--matrix', 'A.npy', '--data', 'one-signal.npy'],
    ],
    [
      'an unknown key',
      /odd\.json has no stepsize/,
      ['train', 'sparse-recovery', '--config', 'odd.json'],
    ],
    [
      'a configuration that is no JSON',
      /words\.npy is not JSON/,
      ['train', 'sparse-recovery', '--config', 'words.npy'],
    ],
    [
      'no checkpoint to go on from',
      /checkpoint/,
      ['train', 'sparse-recovery', '--resume', '--name', 'nothing'],
    ],
    [
      'no bundle to start from',
      /nothing-here/,
      ['train', 'sparse-recovery', '--from', 'nothing-here'],
    ],
    [
      'minutes that are none',
      /--minutes must be a positive number/,
      ['train', 'sparse-recovery', '--minutes', '0'],
    ],
    ['no folder', /needs a folder/, ['train', 'denoise']],
    ['a folder that is not there', /no folder nowhere/, ['train', 'denoise', '--data', 'nowhere']],
    ['an empty folder', /empty holds no image/, ['train', 'denoise', '--data', 'empty']],
    ['a file that is no image', /a\.png cannot be read/, ['train', 'denoise', '--data', 'broken']],
    [
      'images smaller than a patch',
      /at least 64×64/,
      ['train', 'denoise', '--data', 'images', '--name', 'small-images'],
    ],
    ['no class folders', /few-shot needs a folder/, ['train', 'few-shot']],
    [
      'an order that is none',
      /order in third\.json must be "first" or "second", not "third"/,
      ['train', 'few-shot', '--data', 'classes', '--config', 'third.json'],
    ],
    [
      'class folders that are not there',
      /no folder nowhere/,
      ['train', 'few-shot', '--data', 'nowhere'],
    ],
    [
      'fewer classes than a task has',
      /has 5 classes; training and the measurement need 4 each/,
      ['train', 'few-shot', '--data', 'classes', '--ways', '4'],
    ],
    [
      'no class folders to recognise',
      /recognize needs a folder with one folder/,
      ['train', 'recognize'],
    ],
    ['images without classes', /holds images itself/, ['train', 'recognize', '--data', 'images']],
    [
      'ways that are none',
      /--ways must be a positive number/,
      ['train', 'few-shot', '--data', 'classes', '--ways', 'all'],
    ],
    ['nothing to evaluate', /Say which task/, ['evaluate']],
    [
      'a model that is not there',
      /There is no model nobody/,
      ['evaluate', 'sparse-recovery', '--model', 'nobody'],
    ],
    [
      'an unknown command',
      /There is no command fly; there are train, evaluate, calibrate, bundle\./,
      ['fly'],
    ],
  ])('%s', async (_, says, args) => {
    const { code, err, out } = await command(...args);
    expect(err).toMatch(says);
    expect(err).not.toMatch(/\n\s+at /);
    expect(code).toBeGreaterThan(0);
    expect(out).toBe('');
  });
});
