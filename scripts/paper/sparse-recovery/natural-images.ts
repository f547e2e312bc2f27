/** An application: compressed sensing of natural images in blocks, with a quarter as many measurements as pixels. */
import { basename, join } from 'node:path';
import { encodeImage, type Planes } from '../../../src/codecs/images.ts';
import { cosineTransform } from './cosine-blocks.ts';
import { readImageFolder } from '../../../src/data/images.ts';
import type { Matrix } from '../../../src/data/sparse-recovery.ts';
import { crop } from '../../../src/codecs/crop.ts';
import { startEngine } from '../../../src/evaluation/measure.ts';
import { matrixOf } from '../../../src/tasks/sparse-recovery/matrix-file.ts';
import { psnr } from '../../../src/evaluation/metrics.ts';
import { heatMap } from '../../plots/heat-map.ts';
import { readWeights } from '../../../src/training/from-bundle.ts';
import { requireModel } from '../models.ts';
import { decibels } from '../numbers.ts';
import type { Figure, Part, ReproduceOptions, Section } from '../report.ts';
import {
  bestPenalty,
  iterative,
  measureImage,
  served,
  someBlocks,
  toImage,
  type MeasuredImage,
  type Method,
} from './blocks.ts';

export const naturalImages: Part = {
  name: 'natural-images',
  about: 'Compressed sensing of the images in --data, block by block, beside FISTA.',
  needs: 'data',
  run,
};

const MODEL = 'recovery-natural-images';
const BASELINES = [false, true].flatMap((momentum) =>
  [100, 300].map((iterations) => ({
    name: `${momentum ? 'FISTA' : 'ISTA'}, ${iterations}`,
    momentum,
    iterations,
  })),
);
/** Candidates for ρ; each baseline gets the best one for every EVERY-th block of the test images. */
const PENALTIES = [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1];
const EVERY = 16;
const ADAPTIVE = 'adaptive';
const SHOWN = 'FISTA, 300';
/** Largest side of a shown image and gap between images, pixels. */
const SIDE = 256;
const GAP = 8;

async function run({ data, modelsDir, quick, onProgress }: ReproduceOptions): Promise<Section[]> {
  if (data === undefined)
    throw new Error(
      'natural-images needs a folder of clean test images, such as Set12: --data DIR.',
    );
  const { names, images } = await readImageFolder(data, 1);
  const engine = await startEngine(modelsDir, [MODEL]);
  try {
    const manifest = requireModel(engine, MODEL, modelsDir);
    const matrix = await matrixOf(manifest, modelsDir);
    const scales = (await readWeights(join(modelsDir, MODEL))).get('scales')!;
    const transform = cosineTransform(Math.sqrt(matrix.columns));
    const chosen = quick ? images.slice(0, 1) : images;
    const measured = chosen.map((image, i) => measureImage(names[i]!, image, matrix, transform));
    const some = someBlocks(measured, EVERY);
    const methods = new Map<string, Method>();
    const penalties: string[] = [];
    for (const [i, { name, ...options }] of BASELINES.entries()) {
      onProgress(`${name} iterations, which penalty`, (0.3 * i) / BASELINES.length);
      const penalty = await bestPenalty(matrix, { ...options, scales }, PENALTIES, some);
      methods.set(name, iterative(matrix, { ...options, scales }, penalty));
      penalties.push(`${penalty} (${name})`);
    }
    methods.set(
      `all ${manifest.depth} layers`,
      served(engine, MODEL, { rule: 'fixed', depth: manifest.depth }),
    );
    methods.set(ADAPTIVE, served(engine, MODEL, { rule: 'threshold' }));
    const rows: Row[] = [];
    for (const [i, one] of measured.entries()) {
      onProgress(one.name, 0.3 + (0.7 * i) / measured.length);
      rows.push(await recover(one, methods, transform));
    }
    return [await section(rows, matrix, basename(data), penalties)];
  } finally {
    await engine.close();
  }
}

interface Result {
  readonly image: Planes;
  /** PSNR, dB. */
  readonly quality: number;
  readonly depths: readonly number[];
}

interface Row {
  readonly measured: MeasuredImage;
  /** Keyed by method. */
  readonly results: ReadonlyMap<string, Result>;
}

async function recover(
  measured: MeasuredImage,
  methods: ReadonlyMap<string, Method>,
  transform: Matrix,
): Promise<Row> {
  const results = new Map<string, Result>();
  for (const [name, method] of methods) {
    const recovered = await method(measured);
    const image = toImage(recovered, measured, transform);
    results.set(name, {
      image,
      quality: psnr.sample(image.data, measured.image.data)[0],
      depths: recovered.depths,
    });
  }
  return { measured, results };
}

const mean = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

async function section(
  rows: readonly Row[],
  { rows: m, columns: n }: Matrix,
  folder: string,
  penalties: readonly string[],
): Promise<Section> {
  const methods = [...rows[0]!.results.keys()];
  const depth = ({ results }: Row): number => mean(results.get(ADAPTIVE)!.depths);
  const side = Math.sqrt(n);
  return {
    heading: 'Compressed sensing of natural images',
    text:
      `PSNR, dB, of the images of ${folder}, in blocks of ${side}×${side} pixels that are recovered independently from ${m} noiseless Gaussian measurements of ` +
      `each, in the basis of the cosine transform. ISTA and FISTA divide ρ by the usual size of each coefficient ` +
      `and use the ρ that is best for them on these images: ${penalties.join(', ')}. Ours is \`${MODEL}\`, trained ` +
      'on other images; depth is its mean over the blocks.',
    tables: [
      {
        columns: ['', ...methods, 'mean depth'],
        rows: [
          ...rows.map((row) => [
            row.measured.name,
            ...methods.map((name) => decibels(row.results.get(name)!.quality)),
            depth(row).toFixed(2),
          ]),
          [
            '**mean**',
            ...methods.map((name) =>
              decibels(mean(rows.map(({ results }) => results.get(name)!.quality))),
            ),
            mean(rows.map(depth)).toFixed(2),
          ],
        ],
      },
    ],
    figures: await figures(rows[0]!),
  };
}

/** The first image: original, FISTA and ours side by side, and the depth of each block. */
async function figures({ measured: { name, image, across }, results }: Row): Promise<Figure[]> {
  const [fista, ours] = [results.get(SHOWN)!, results.get(ADAPTIVE)!];
  const content = await encodeImage(
    {
      ...sideBySide([image, fista.image, ours.image]),
      format: 'jpeg',
      bits: 8,
      alpha: undefined,
      source: undefined,
    },
    'jpeg',
  );
  const depths = Array.from({ length: ours.depths.length / across }, (_, row) =>
    ours.depths.slice(row * across, (row + 1) * across),
  );
  return [
    {
      file: 'natural-images.jpg',
      caption: `${name}: original, FISTA (${decibels(fista.quality)} dB) and ours (${decibels(ours.quality)} dB)`,
      content,
    },
    {
      file: 'natural-images-depth.svg',
      caption: `${name}: stop depth of each block`,
      content: await heatMap({
        title: 'Depth of each block',
        x: 'column',
        y: 'row',
        value: 'layers',
        values: depths,
      }),
    },
  ];
}

/** The upper left corners of images of equal size, side by side on white. */
function sideBySide(images: readonly Planes[]): Planes {
  const parts = images.map((image) =>
    crop(image, 0, 0, Math.min(SIDE, image.width), Math.min(SIDE, image.height)),
  );
  const { width, height } = parts[0]!;
  const whole = parts.length * (width + GAP) - GAP;
  const data = new Float32Array(whole * height).fill(1);
  parts.forEach((part, i) => {
    for (let y = 0; y < height; y++)
      data.set(part.data.subarray(y * width, (y + 1) * width), y * whole + i * (width + GAP));
  });
  return { channels: 1, width: whole, height, data };
}
