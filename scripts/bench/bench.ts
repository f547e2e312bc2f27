/** `bench`: benchmarks; most are ratios within one run. */
import { mkdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { markdownTable } from 'markdown-table';
import { batching } from './batching.ts';
import { day } from './day/day.ts';
import { depth } from './depth.ts';
import { engine } from './engine.ts';
import { idle } from './idle.ts';
import { isolation } from './isolation.ts';
import { overload } from './overload.ts';
import { peersBench } from './peers/peers.ts';
import { providers } from './providers.ts';
import type { Bench, Row } from './row.ts';
import { scaling } from './scaling.ts';
import { sizing } from './sizing.ts';
import { trainingStep } from './training-step.ts';
import { underLoad } from './under-load.ts';

const benches: readonly Bench[] = [
  depth,
  engine,
  batching,
  underLoad,
  overload,
  idle,
  isolation,
  scaling,
  day,
  sizing,
  providers,
  peersBench,
  trainingStep,
];

export const usage = `npm run bench [-- NAME …] [--data DIR] [--plots DIR] [--quick] [--json]
  --data DIR    clean images for the denoising rows (default: the sample image)
  --plots DIR   folder for plots
  --quick       fewer and shorter rounds, where a benchmark has them
${benches.map(({ name, about }) => `  ${name.padEnd(14)}${about}`).join('\n')}`;

export async function bench(args: string[]): Promise<void> {
  const options = {
    data: { type: 'string' },
    plots: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  } as const;
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const unknown = positionals.find((name) => !benches.some((candidate) => candidate.name === name));
  if (unknown !== undefined) throw new Error(`There is no benchmark ${unknown}:\n${usage}`);
  const chosen =
    positionals.length === 0 ? benches : benches.filter(({ name }) => positionals.includes(name));
  const modelsDir = process.env.MODELS_DIR ?? 'models';
  if (values.plots !== undefined) await mkdir(values.plots, { recursive: true });
  const rows: Row[] = [];
  for (const [i, current] of chosen.entries()) {
    console.error(`${i + 1} of ${chosen.length}, ${current.name}: ${current.about}`);
    rows.push(
      ...(await current.run({
        modelsDir,
        quick: values.quick,
        ...(values.data !== undefined && { images: values.data }),
        ...(values.plots !== undefined && { plots: values.plots }),
      })),
    );
  }
  if (values.json) console.log(JSON.stringify({ rows }));
  else console.log(table(rows));
}

/** A Markdown table, padded for the terminal. */
const table = (rows: readonly Row[]): string =>
  markdownTable([
    ['benchmark', 'what', 'measured', 'target', 'detail'],
    ...rows.map(({ benchmark, what, value, unit, target, detail }) => [
      benchmark,
      what,
      `${value} ${unit}`,
      target,
      detail,
    ]),
  ]);
