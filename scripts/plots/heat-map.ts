import { toSvg } from './render.ts';

/**
 * Heat map. @returns SVG
 * @param values rows from top to bottom
 */
export function heatMap(options: {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly value: string;
  readonly values: readonly (readonly number[])[];
  /** Axis labels; by default numbers from 1. */
  readonly columns?: readonly string[];
  readonly rows?: readonly string[];
}): Promise<string> {
  const { title, x, y, value, values, columns, rows } = options;
  const width = Math.max(...values.map((row) => row.length));
  const cells = values.flatMap((row, i) =>
    row.map((number, j) => ({
      value: number,
      x: columns?.[j] ?? String(j + 1),
      y: rows?.[i] ?? String(i + 1),
    })),
  );
  return toSvg({
    title,
    width: Math.min(480, 40 * width),
    height: Math.min(480, 24 * values.length),
    data: { values: cells },
    mark: 'rect',
    encoding: {
      x: {
        field: 'x',
        type: 'ordinal',
        title: x,
        sort: null,
        axis: { labelAngle: 0, labelOverlap: true },
      },
      y: { field: 'y', type: 'ordinal', title: y, sort: null, axis: { labelOverlap: true } },
      color: {
        field: 'value',
        type: 'quantitative',
        title: value,
        scale: { scheme: 'viridis', zero: false },
      },
    },
  });
}
