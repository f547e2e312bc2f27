import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readManifest } from '../../src/bundle/read.ts';
import { writeManifest } from '../../src/bundle/write.ts';
import { writeNpy } from '../../src/codecs/npy.ts';
import type { Folders } from '../../src/commands/tasks.ts';
import { trainCommand, usage } from '../../src/commands/train.ts';
import { usage as evaluateUsage } from '../../src/commands/evaluate.ts';
import { Random } from '../../src/data/random.ts';
import { measurementMatrix } from '../../src/data/sparse-recovery.ts';
import { recipes } from '../../src/tasks/recipes.ts';

let place: string;
let folders: Folders;
let usual: string[];

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'stopwise-train-'));
  folders = { models: join(place, 'models'), checkpoints: join(place, 'checkpoints') };
  const { data } = measurementMatrix(6, 10, new Random(1));
  await writeFile(join(place, 'A.npy'), writeNpy({ shape: [6, 10], data }));
  await writeFile(
    join(place, 'quick.json'),
    JSON.stringify({ depth: 2, batch: 4, stageOne: { steps: 2 }, stageTwo: { steps: 2 } }),
  );
  usual = ['sparse-recovery', '--matrix', join(place, 'A.npy'), '--threads', '1'];
  usual.push('--config', join(place, 'quick.json'), '--name', 'own');
  vi.spyOn(console, 'log').mockReturnValue();
  vi.spyOn(console, 'table').mockReturnValue();
});
afterAll(async () => {
  vi.restoreAllMocks();
  await rm(place, { recursive: true });
});

const train = (...more: string[]): Promise<void> => trainCommand([...usual, ...more], folders);

describe('train never destroys silently', () => {
  const bundle = (): string => join(folders.models, 'own');
  const checkpoint = (): string => join(folders.checkpoints, 'own', 'checkpoint.safetensors');
  beforeAll(() => train());

  it('refuses to overwrite a checkpoint without --fresh or --resume', async () => {
    const before = await readFile(checkpoint());
    await expect(train('--replace')).rejects.toThrow(
      /checkpoint\.safetensors exists: continue with --resume, or overwrite it with --fresh/,
    );
    expect(await readFile(checkpoint())).toEqual(before);
    await expect(train('--replace', '--fresh', '--resume')).rejects.toThrow(/exclude each other/);
  });

  it('refuses to replace a bundle without --replace', async () => {
    const before = await readManifest(bundle());
    await expect(train('--fresh')).rejects.toThrow(/own exists: replace it with --replace/);
    await expect(train('--resume')).rejects.toThrow(/own exists: replace it with --replace/);
    expect(await readManifest(bundle())).toEqual(before);
  });

  it('keeps the default of the bundle that it replaces', async () => {
    await writeManifest(bundle(), { ...(await readManifest(bundle())), default: true });
    await train('--replace', '--fresh');
    expect(await readManifest(bundle())).toMatchObject({ name: 'own', default: true });
  });
});

it.each(['MyModel', '-model', 'a/b', ''])(
  'train refuses --name %j before any work',
  async (name) => {
    const missing = ['denoise', '--data', join(place, 'missing'), `--name=${name}`];
    await expect(trainCommand(missing, folders)).rejects.toThrow(/--name must begin with/);
  },
);

it('refuses the flag of another task', async () => {
  await expect(train('--ways', '5')).rejects.toThrow('--ways is not a flag of sparse-recovery');
});

describe('the usage text', () => {
  const linesOf = (text: string): string[] => text.split('\n');

  it('has a line for each flag, also for --threads', () => {
    for (const flag of ['threads', 'minutes', 'fresh', 'replace', 'resume', 'name'])
      expect(
        linesOf(usage.split('-- policy')[0]!).filter((line) => line.startsWith(`  --${flag}`)),
        flag,
      ).toHaveLength(1);
    for (const { task, trainFlags, evaluateFlags } of recipes) {
      const part = (text: string): string => text.split(`TASK ${task}\n`)[1]!.split('\n\n')[0]!;
      for (const flag of Object.keys(trainFlags)) expect(part(usage)).toContain(`  --${flag} `);
      for (const flag of Object.keys(evaluateFlags))
        expect(part(evaluateUsage)).toContain(`  --${flag} `);
    }
  });

  it('keeps flag and help apart', () => {
    for (const line of [...linesOf(usage), ...linesOf(evaluateUsage)])
      if (line.startsWith('  --')) expect(line).toMatch(/^ {2}--[a-z-]+( \S+)? {1,}\S/);
  });
});
