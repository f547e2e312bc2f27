/** What a reproduction gives: sections with tables and plots, and how they are written as Markdown. */
import { markdownTable } from 'markdown-table';

export interface Table {
  /** The first column is text, the others are aligned as numbers. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number | undefined)[])[];
}

export interface Section {
  readonly heading: string;
  /** How it was measured, and what there is to see; Markdown. */
  readonly text?: string;
  readonly tables?: readonly Table[];
  /** Plots and pictures, written beside the report. */
  readonly figures?: readonly Figure[];
}

export interface Figure {
  /** Such as `time.svg`; its ending says what it is. */
  readonly file: string;
  readonly caption: string;
  readonly content: string | Uint8Array;
}

export interface ReproduceOptions {
  readonly modelsDir: string;
  /** A folder of clean test images, for the tasks that need one. */
  readonly data?: string;
  /** A folder of clean images, other than the test's, that policies learn from. */
  readonly learn?: string;
  /** The bundle that is measured, where a reproduction lets it be named. */
  readonly model?: string;
  /** A fraction of samples and steps: to see that it runs, not to believe its figures. */
  readonly quick: boolean;
  /** @param share of the part that is done, 0..1 */
  readonly onProgress: (what: string, share: number) => void;
}

/** A piece of a reproduction that can be asked for by itself. */
export interface Part {
  readonly name: string;
  readonly about: string;
  /** The folder without which it is left out, unless it is asked for by name. */
  readonly needs?: 'data' | 'learn';
  run(options: ReproduceOptions): Promise<Section[]>;
}

export interface Reproduction {
  readonly title: string;
  /** Whether the bundle that is measured may be named. */
  readonly byName?: true;
  readonly parts: readonly Part[];
}

/** A section as Markdown; figures are named by their files. */
export function toMarkdown({ heading, text, tables = [], figures = [] }: Section): string {
  const blocks = [
    `## ${heading}`,
    ...(text === undefined ? [] : [text]),
    ...tables.map(tableToMarkdown),
    ...figures.map(({ file, caption }) => `![${caption}](${file})`),
  ];
  return blocks.join('\n\n');
}

function tableToMarkdown({ columns, rows }: Table): string {
  return markdownTable(
    [columns, ...rows].map((row) => row.map(cellText)),
    { align: columns.map((_, i) => (i === 0 ? '' : 'r')) },
  );
}

const cellText = (cell: string | number | undefined): string =>
  cell === undefined
    ? '–'
    : String(cell)
        .replace(/^-(?=\d)/, '−')
        .replaceAll('|', '\\|');
