/** Quality and depth of the policy over thresholds, and of the same network at fixed depths. */
import type { Manifest } from '../../../src/bundle/manifest.ts';
import { startEngine } from '../../../src/evaluation/measure.ts';
import { matrixOf } from '../../../src/tasks/sparse-recovery/matrix-file.ts';
import { nmse } from '../../../src/evaluation/metrics.ts';
import { exitAt, qualityAt, type Traced } from '../../../src/evaluation/trace.ts';
import { curves } from '../../plots/curves.ts';
import { histograms } from '../../plots/histograms.ts';
import { requireModel } from '../models.ts';
import { decibels, frequencies } from '../numbers.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { BEST, countFor, meanDepth, SNRS, testSet, traceAll } from './setting.ts';

export const depth: Part = {
  name: 'depth',
  about: 'Quality and depth over thresholds, beside fixed depths; depth histograms.',
  run,
};

async function run({ modelsDir, quick, onProgress }: ReproduceOptions): Promise<Section[]> {
  const engine = await startEngine(modelsDir, [BEST]);
  try {
    const manifest = requireModel(engine, BEST, modelsDir);
    onProgress('all depths', 0);
    return [
      await section(
        await traceAll(
          engine,
          manifest,
          testSet(await matrixOf(manifest, modelsDir), countFor(quick)),
        ),
        manifest,
      ),
    ];
  } finally {
    await engine.close();
  }
}

async function section(
  traced: readonly Traced[][],
  { exits, threshold: calibrated = 0.5 }: Manifest,
): Promise<Section> {
  const thresholds = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];
  const point = (pick: (sample: Traced) => number) => ({
    x: meanDepth(traced, exits, pick),
    y: qualityAt(traced.flat(), nmse, pick),
  });
  const fixed = exits.map((_, i) => point(() => i));
  const adaptive = thresholds.map((tau) => ({
    ...point((sample) => exitAt(sample, tau)),
    label: String(tau),
  }));
  const row = ({ x, y }: { x: number; y: number }, name: string) => [
    name,
    x.toFixed(2),
    decibels(y),
  ];
  return {
    heading: 'Depth',
    tables: [
      {
        columns: ['rule', 'mean layers', 'NMSE, dB'],
        rows: [
          ...fixed.map((at) => row(at, `depth ${at.x}`)),
          ...adaptive.map((at) => row(at, `threshold ${at.label}`)),
        ],
      },
    ],
    figures: [
      {
        file: 'depth.svg',
        caption: 'NMSE over mean depth',
        content: await curves({
          title: 'Quality over depth, SNR 20, 30 and 40 dB mixed',
          x: { title: 'mean layers' },
          y: { title: 'NMSE, dB' },
          curves: [
            { name: 'every sample at one depth', points: fixed },
            { name: 'policy, by its threshold', points: adaptive },
          ],
        }),
      },
      {
        file: 'depth-histogram.svg',
        caption: 'Stop depths for each signal-to-noise ratio',
        content: await histograms({
          title: `Where samples stop, threshold ${calibrated}`,
          x: 'layer',
          from: 1,
          to: exits.at(-1)!,
          histograms: traced.map((list, i) => ({
            name: `${SNRS[i]} dB`,
            counts: frequencies(list.map((sample) => exits[exitAt(sample, calibrated)]!)),
          })),
        }),
      },
    ],
  };
}
