import { toSvg } from './render.ts';

export interface Histogram {
  readonly name: string;
  /** Count of each value. */
  readonly counts: ReadonlyMap<number, number>;
}

/** Stacked histograms over the integers `from`..`to`, each normalised to shares. @returns SVG. */
export function histograms(options: {
  readonly title: string;
  readonly x: string;
  readonly from: number;
  readonly to: number;
  readonly histograms: readonly Histogram[];
}): Promise<string> {
  const { title, x, from, to } = options;
  const values = options.histograms.flatMap(({ name, counts }) => {
    const whole = [...counts.values()].reduce((a, b) => a + b, 0);
    return Array.from({ length: to - from + 1 }, (_, i) => ({
      name,
      x: from + i,
      share: (counts.get(from + i) ?? 0) / Math.max(whole, 1),
    }));
  });
  // For facets, `sort: null` does not keep the given order.
  const sort = options.histograms.map(({ name }) => name);
  return toSvg({
    title,
    data: { values },
    facet: {
      row: {
        field: 'name',
        type: 'nominal',
        title: null,
        sort,
        header: { labelAngle: 0, labelAlign: 'left' },
      },
    },
    spec: {
      width: 480,
      height: 64,
      mark: { type: 'bar', color: '#0072b2' },
      encoding: {
        x: { field: 'x', type: 'ordinal', title: x, axis: { labelAngle: 0 } },
        y: {
          field: 'share',
          type: 'quantitative',
          title: null,
          axis: { format: '%', tickCount: 3 },
        },
      },
    },
  });
}
