/** `reproduce`: the paper's tables and plots for a task, with our values beside the published ones. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { denoise } from './denoise.ts';
import { fewShot } from './few-shot.ts';
import { recognize } from './recognize.ts';
import {
  toMarkdown,
  type Part,
  type ReproduceOptions,
  type Reproduction,
  type Section,
} from './report.ts';
import { sparseRecovery } from './sparse-recovery.ts';
import { toPositive } from '../../src/training/flags.ts';
import { WorkBar } from '../../src/commands/progress.ts';

/** A task is added here: its parts are measured in order. */
const reproductions: Readonly<Record<string, Reproduction>> = {
  'sparse-recovery': sparseRecovery,
  denoise,
  'few-shot': fewShot,
  recognize,
};

const parts = (reproduction: Reproduction): string =>
  reproduction.parts.map(({ name, about }) => `    ${name.padEnd(16)}${about}`).join('\n');

export const usage = `npm run reproduce -- TASK [PART …]
  --data DIR   test images, for the tasks that need them        --quick        smoke test with few samples and steps
  --learn DIR  clean training images (denoise: prices, shapes)  --minutes N    CPU time of each training run (denoise: shapes)
  --out DIR    report and plots (default reports/TASK)          --model NAME   bundle to measure (few-shot)
  --resume     continue such runs from their checkpoints        --count N      requests to certify on (gain), tasks of a row (few-shot)
${Object.entries(reproductions)
  .map(([task, reproduction]) => `  ${task}\n${parts(reproduction)}`)
  .join('\n')}`;

const options = {
  data: { type: 'string' },
  learn: { type: 'string' },
  model: { type: 'string' },
  count: { type: 'string' },
  minutes: { type: 'string' },
  out: { type: 'string' },
  resume: { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
} as const;

/**
 * Measures the parts in `args`, or all, and prints each when it is done. `report.md` in the output folder holds the latest
 * result of every part measured so far.
 */
export async function reproduce(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const [task = '', ...wanted] = positionals;
  const reproduction = reproductions[task];
  if (!reproduction)
    throw new Error(
      `${task ? `There is nothing to reproduce for ${task}` : 'Name the task to reproduce'}:\n${usage}`,
    );
  const unknown = wanted.find((name) => !reproduction.parts.some((part) => part.name === name));
  if (unknown !== undefined) throw new Error(`${task} has no part ${unknown}:\n${usage}`);
  if (values.model !== undefined && !reproduction.byName)
    throw new Error(`--model cannot be chosen for ${task}.`);
  const { minutes, count, ...others } = values;
  const given = {
    ...others,
    ...(minutes !== undefined && { minutes: toPositive('--minutes', minutes) }),
    ...(count !== undefined && { count: toPositive('--count', count) }),
  };
  const chosen = reproduction.parts.filter(({ name, needs }) =>
    wanted.length === 0 ? !needs || given[needs] !== undefined : wanted.includes(name),
  );
  const folder = values.out ?? join('reports', task);
  await mkdir(folder, { recursive: true });
  for (const part of chosen) {
    const sections = await measure(part, given);
    const markdown = sections.map(toMarkdown).join('\n\n');
    console.log(`${markdown}\n`);
    await writePart(folder, part, sections, markdown);
    await writeReport(folder, reproduction);
  }
  console.error(`Wrote ${join(folder, 'report.md')}.`);
}

async function measure(
  part: Part,
  given: Omit<ReproduceOptions, 'modelsDir' | 'onProgress'>,
): Promise<Section[]> {
  const bar = new WorkBar();
  try {
    return await part.run({
      ...given,
      modelsDir: process.env.MODELS_DIR ?? 'models',
      onProgress: (what, share) => bar.update(`${part.name}: ${what}`, share),
    });
  } finally {
    bar.stop();
  }
}

const partFile = (folder: string, { name }: Part): string => join(folder, `${name}.md`);

async function writePart(
  folder: string,
  part: Part,
  sections: readonly Section[],
  markdown: string,
): Promise<void> {
  for (const { figures = [] } of sections)
    for (const { file, content } of figures) await writeFile(join(folder, file), content);
  await writeFile(partFile(folder, part), `${markdown}\n`);
}

async function writeReport(folder: string, { title, parts: all }: Reproduction): Promise<void> {
  const texts: string[] = [];
  for (const part of all)
    texts.push(await readFile(partFile(folder, part), 'utf8').catch(() => ''));
  await writeFile(
    join(folder, 'report.md'),
    `# ${title}\n\n${texts.filter((text) => text !== '').join('\n')}`,
  );
}
