/** A plan of training: what one task makes of the command's flags, before any work. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Manifest } from '../../bundle/manifest.ts';
import type { TestData } from '../../evaluation/measure.ts';
import { withDefaults } from '../../training/config.ts';
import type { RunOptions, Trained } from '../../training/run.ts';

const flagOptions = {
  config: { type: 'string' },
  data: { type: 'string' },
  validate: { type: 'string' },
  matrix: { type: 'string' },
  form: { type: 'string' },
  channels: { type: 'string' },
  ways: { type: 'string' },
  minutes: { type: 'string' },
  name: { type: 'string' },
  from: { type: 'string' },
  threads: { type: 'string' },
  provider: { type: 'string', default: 'cpu' },
  resume: { type: 'boolean', default: false },
  default: { type: 'boolean', default: false },
} as const;

export const parseFlags = (args: string[]) =>
  parseArgs({ args, options: flagOptions, allowPositionals: true });
export type Flags = ReturnType<typeof parseFlags>['values'];

export interface Plan {
  readonly task: Manifest['task'];
  readonly name: string;
  readonly description: string;
  readonly baseline: boolean;
  readonly limits?: Manifest['limits'];
  readonly taskFiles: ReadonlyMap<string, Uint8Array>;
  readonly test: TestData;
  run(options: RunOptions): Promise<Trained>;
}

export function formOf<F extends string>(
  { form }: Flags,
  defaults: Record<F, unknown>,
  usual: F,
): F {
  if (form === undefined) return usual;
  if (!Object.hasOwn(defaults, form))
    throw new Error(`--form must be one of ${Object.keys(defaults).join(', ')}, not ${form}.`);
  return form as F;
}

/** The channels that are asked for. */
export function wantedChannels({ channels }: Flags): 1 | 3 | undefined {
  if (channels === undefined) return undefined;
  if (channels !== '1' && channels !== '3')
    throw new Error('--channels must be 1 (gray) or 3 (colour).');
  return channels === '1' ? 1 : 3;
}

/** Which of `count` are kept to measure on: every tenth, or one where there are fewer. `what` names them. */
export function heldOutOf(count: number, what: string): (i: number) => boolean {
  if (count < 2)
    throw new Error(
      `One ${what} is too few: one must be held out to measure on. Add ${what}s, or name others by --validate.`,
    );
  const every = Math.min(10, count);
  return (i) => i % every === every - 1;
}

export async function readConfig<T extends object>(
  defaults: T,
  { config, minutes }: Flags,
): Promise<T> {
  const given: unknown = config === undefined ? {} : await readJson(config);
  const merged = withDefaults(defaults, given, config ?? 'the configuration');
  if (minutes === undefined) return merged;
  return withDefaults(merged, { stageOne: { minutes: positive('--minutes', minutes) } });
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file} is not JSON that can be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

export function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${flag} must be a positive number, not ${text}.`);
  return value;
}

export const slug = (name: string): string => name.toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
