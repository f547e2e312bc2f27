import { toSvg } from './render.ts';

export interface Axis {
  readonly title: string;
  readonly scale?: 'linear' | 'log';
  /** Reverses the axis, for values where less is better. */
  readonly reverse?: boolean;
}

export interface Curve {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number; readonly label?: string }[];
  /** Draws points only if false. */
  readonly line?: boolean;
}

export interface CurvesOptions {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly curves: readonly Curve[];
}

const scaleOf = ({ scale }: Axis) =>
  scale === 'log' ? ({ type: 'log' } as const) : ({ type: 'linear', zero: false } as const);

/** Line plot: one line with points per curve; labels are drawn beside their points. @returns SVG. */
export function curves({ title, x, y, curves: all }: CurvesOptions): Promise<string> {
  const values = (some: readonly Curve[]) =>
    some.flatMap(({ name, points }) => points.map((point) => ({ ...point, name })));
  const encoding = {
    x: {
      field: 'x',
      type: 'quantitative',
      title: x.title,
      scale: { ...scaleOf(x), nice: x.scale !== 'log' },
    },
    y: {
      field: 'y',
      type: 'quantitative',
      title: y.title,
      scale: { ...scaleOf(y), reverse: y.reverse ?? false },
    },
    color: {
      field: 'name',
      type: 'nominal',
      title: null,
      sort: null,
      scale: { domain: all.map(({ name }) => name) },
      legend: { orient: 'bottom', columns: 2 },
    },
  } as const;
  return toSvg({
    title,
    width: 480,
    height: 300,
    encoding,
    layer: [
      {
        data: { values: values(all.filter(({ line }) => line !== false)) },
        mark: { type: 'line', strokeWidth: 1.5 },
      },
      {
        data: { values: values(all) },
        mark: { type: 'point', filled: true, size: 28, opacity: 1 },
      },
      {
        data: { values: values(all).filter(({ label }) => label !== undefined) },
        mark: { type: 'text', align: 'left', dx: 6, dy: -6, fontSize: 10 },
        encoding: { text: { field: 'label', type: 'nominal' } },
      },
    ],
  });
}
