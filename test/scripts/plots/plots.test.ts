import { describe, expect, it } from 'vitest';
import { curves } from '../../../scripts/plots/curves.ts';
import { heatMap } from '../../../scripts/plots/heat-map.ts';
import { histograms } from '../../../scripts/plots/histograms.ts';

const marks = (svg: string, role: string): number =>
  svg.split(`aria-roledescription="${role}"`).length - 1;

describe('plots are SVG that holds what was given', () => {
  it('curves: a line for each but those of points alone, every point, and the labels', async () => {
    const svg = await curves({
      title: 'a title',
      x: { title: 'layers', scale: 'log' },
      y: { title: 'dB', reverse: true },
      curves: [
        { name: 'one', points: [1, 2, 4].map((x) => ({ x, y: -x })) },
        { name: 'two', points: [{ x: 3, y: -1, label: 'here' }], line: false },
      ],
    });
    expect(svg).toMatch(/^<svg /);
    for (const text of ['a title', 'layers', 'dB', 'one', 'two', 'here'])
      expect(svg).toContain(`>${text}<`);
    expect(marks(svg, 'line mark')).toBe(1);
    expect(marks(svg, 'point')).toBe(4);
  });

  it('histograms: a bar for each whole number of each group, as shares', async () => {
    const counts = new Map([
      [2, 1],
      [3, 3],
    ]);
    const svg = await histograms({
      title: 't',
      x: 'layer',
      from: 1,
      to: 4,
      histograms: [{ name: 'a', counts }],
    });
    expect(marks(svg, 'bar')).toBe(4);
    expect(svg).toContain('layer: 3; share: 75.000000%');
    const names = ['2 of them', '10 of them', '1 of them'];
    const many = await histograms({
      title: 't',
      x: 'layer',
      from: 1,
      to: 4,
      histograms: names.map((name) => ({ name, counts })),
    });
    expect([...many.matchAll(/>(\d+ of them)</g)].map(([, name]) => name)).toEqual(names);
  });

  it('heat map: a cell for each number, named by row and column', async () => {
    const values = [
      [1, 2, 3],
      [4, 5, 6],
    ];
    const svg = await heatMap({
      title: 't',
      x: 'across',
      y: 'down',
      value: 'v',
      values,
      rows: ['upper', 'lower'],
    });
    expect(marks(svg, 'rect mark')).toBe(6);
    expect(svg).toContain('across: 3; down: lower; v: 6');
  });
});
