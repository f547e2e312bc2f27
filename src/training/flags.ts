/** Command-line flags as tables: one row gives the parser, the type and the line of the usage text. */
import { parseArgs } from 'node:util';

/** A flag with a value, `--flag VALUE`; numbers are parsed by the caller. */
export interface StringFlag {
  readonly type: 'string';
  readonly default?: string;
  /** May be given more than once: the value is a list. */
  readonly multiple?: true;
  /** What stands for the value in the usage text: `DIR`, `N`. */
  readonly value: string;
  readonly help: string;
}

/** A switch without a value; off unless given. */
export interface BooleanFlag {
  readonly type: 'boolean';
  readonly default: false;
  readonly help: string;
}

/** Flags by name, without the leading dashes. */
export type FlagTable = Readonly<Record<string, StringFlag | BooleanFlag>>;

/** The values that a table's flags have after parsing. */
export type FlagsOf<T extends FlagTable> = {
  readonly [K in keyof T]: T[K] extends BooleanFlag
    ? boolean
    : T[K] extends { readonly multiple: true }
      ? readonly string[] | undefined
      : T[K] extends { readonly default: string }
        ? string
        : string | undefined;
};

/** Flags of any table. */
export type Flags = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** @throws TypeError for an unknown flag or a missing value */
export function parseFlags<T extends FlagTable>(
  table: T,
  args: readonly string[],
): { flags: FlagsOf<T>; positionals: string[] } {
  const options: FlagTable = table;
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  // parseArgs checks the values against the table.
  return { flags: values as Flags as FlagsOf<T>, positionals };
}

const INDENT = '  ';
/** Columns of the flag and its value; a longer flag puts its help on the next line. */
const WIDTH = 20;

/** The usage lines of a table, one for each flag. */
export function usageOf(table: FlagTable): string {
  return Object.entries(table)
    .map(([name, flag]) => {
      const left = `--${name}${flag.type === 'string' ? ` ${flag.value}` : ''}`;
      const gap = left.length < WIDTH ? ' '.repeat(WIDTH - left.length) : `\n${' '.repeat(WIDTH)}`;
      const usual =
        flag.type === 'string' && flag.default !== undefined ? ` (default ${flag.default})` : '';
      return `${INDENT}${left}${gap.replace('\n', `\n${INDENT}`)}${flag.help}${usual}`;
    })
    .join('\n');
}

/** @throws Error where the text is not a finite number */
export function toNumber(flag: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new Error(`${flag} must be a number, not ${text}.`);
  return value;
}

/** @throws Error where the text is not a number above 0 */
export function toPositive(flag: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${flag} must be a positive number, not ${text}.`);
  return value;
}

/** Comma-separated numbers. */
export const toNumbers = (flag: string, text: string): number[] =>
  text.split(',').map((part) => toNumber(flag, part));

/** `--channels`: 1 or 3, undefined where the flag is absent. @throws Error for another value */
export function toChannels(channels: string | undefined): 1 | 3 | undefined {
  if (channels === undefined) return undefined;
  if (channels !== '1' && channels !== '3')
    throw new Error('--channels must be 1 (gray) or 3 (colour).');
  return channels === '1' ? 1 : 3;
}

/** `--form`: one of the keys of `forms`, `usual` where the flag is absent. @throws Error for another value */
export function toForm<F extends string>(
  form: string | undefined,
  forms: Readonly<Record<F, unknown>>,
  usual: NoInfer<F>,
): F {
  if (form === undefined) return usual;
  if (!Object.hasOwn(forms, form))
    throw new Error(`--form must be one of ${Object.keys(forms).join(', ')}, not ${form}.`);
  return form as F;
}
