/** Reports: sections with tables and figures, and their Markdown form. */
import { markdownTable } from 'markdown-table';

export interface Table {
  /** The first column is aligned left, the others right. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number | undefined)[])[];
}

export interface Section {
  readonly heading: string;
  /** How it was measured and what it shows; Markdown. */
  readonly text?: string;
  readonly tables?: readonly Table[];
  /** Written into the folder of the report. */
  readonly figures?: readonly Figure[];
}

export interface Figure {
  /** File name, such as `time.svg`. */
  readonly file: string;
  readonly caption: string;
  readonly content: string | Uint8Array;
}

export interface ReproduceOptions {
  readonly modelsDir: string;
  /** Folder of clean test images, for tasks that need one. */
  readonly data?: string;
  /** Folder of clean training images for policies, disjoint from the test images. */
  readonly learn?: string;
  /** Bundle to measure, where `Reproduction.byName` allows it. */
  readonly model?: string;
  /** Minutes of CPU time for each training run of a comparison. */
  readonly minutes?: number;
  /** Requests or tasks of a measurement, where its part takes a number. */
  readonly count?: number;
  /** Resume such runs from their checkpoints. */
  readonly resume?: boolean;
  /** Few samples and steps: a smoke test whose figures mean nothing. */
  readonly quick: boolean;
  /** @param share of the part that is done, 0..1 */
  readonly onProgress: (what: string, share: number) => void;
}

/** One part of a reproduction; it can be run alone. */
export interface Part {
  readonly name: string;
  readonly about: string;
  /** Option it needs; without it the part is skipped unless requested by name. */
  readonly needs?: 'data' | 'learn' | 'minutes';
  run(options: ReproduceOptions): Promise<Section[]>;
}

export interface Reproduction {
  readonly title: string;
  /** Whether `--model` may choose the bundle. */
  readonly byName?: true;
  readonly parts: readonly Part[];
}

/** Renders a section as Markdown; figures are linked by file name. */
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
