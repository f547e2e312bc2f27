/** Colour images: the colour model, and the gray model on each channel alone. */
import type { Planes } from '../../../src/codecs/images.ts';
import type { Case } from '../../../src/evaluation/data.ts';
import { denoiseConditions } from '../../../src/tasks/denoise/test-data.ts';
import { evaluate } from '../../../src/evaluation/evaluate.ts';
import { psnr } from '../../../src/evaluation/metrics.ts';
import { decibels } from '../numbers.ts';
import type { Part, ReproduceOptions, Section, Table } from '../report.ts';
import { COLOR, GRAY, SEED, SIGMAS, withModels, type Setting } from './setting.ts';
import { measuredRows, sigmaColumns } from './tables.ts';

export const color: Part = {
  name: 'color',
  about: 'PSNR on colour images, beside the gray model on each channel.',
  run: (options) => withModels(options, 3, [COLOR, GRAY], (setting) => run(setting, options)),
};

/** Levels for denoising each channel alone, which takes three times as long. */
const APART = [35, 45, 55];

async function run(
  { engine, manifests, images, folder }: Setting,
  { onProgress }: ReproduceOptions,
): Promise<Section[]> {
  const [colour, single] = [manifests[0]!, manifests[1]!];
  const tables: Table[] = [];
  for (const clipped of [false, true]) {
    const conditions = denoiseConditions(images, colour, SIGMAS, SEED, clipped);
    const what = clipped ? 'noise as in an 8-bit file' : 'unclipped noise';
    let done = 0;
    const measured = await evaluate(engine, colour, conditions, psnr, {}, () =>
      onProgress(what, (done++ / (images.length * SIGMAS.length) + Number(clipped)) / 2),
    );
    tables.push({ columns: [what, ...sigmaColumns(SIGMAS)], rows: measuredRows(colour, measured) });
  }
  const apart: string[] = [];
  for (const { label, cases } of denoiseConditions(images, colour, APART, SEED)) {
    onProgress(`σ ${label.sigma}, channel by channel`, 1);
    apart.push(
      decibels(await channelByChannel({ engine, manifests: [single], images, folder }, cases)),
    );
  }
  tables.push({
    columns: ['unclipped noise', ...sigmaColumns(APART)],
    rows: [[`${single.name} on each channel, all ${single.depth} layers`, ...apart]],
  });
  return [
    {
      heading: 'Colour images',
      text: `PSNR, dB, mean over ${images.length} images of ${folder}, seed ${SEED}.`,
      tables,
    },
  ];
}

/** Mean PSNR, dB, of the gray model at full depth on each of the three channels. */
async function channelByChannel(
  { engine, manifests }: Setting,
  cases: readonly Case[],
): Promise<number> {
  const { name, depth, inputs, outputs } = manifests[0]!;
  const [input, output] = [inputs[0]!.name, outputs[0]!.name];
  const parts: (readonly [number, number])[] = [];
  for (const { sample, truth } of cases) {
    const { data, dims } = sample[input]!;
    const [, height, width] = dims as [number, number, number];
    const plane = ({ data: all }: Pick<Planes, 'data'>, c: number): Float32Array =>
      all.slice(c * height * width, (c + 1) * height * width);
    const samples = [0, 1, 2].map((c) => ({
      [input]: { data: plane({ data }, c), dims: [1, height, width] },
    }));
    const result = await engine.run(name, samples, { rule: 'fixed', depth });
    const joined = new Float32Array(truth.length);
    result.samples.forEach(({ outputs: values }, c) =>
      joined.set(values[output]!.data, c * height * width),
    );
    parts.push(psnr.sample(joined, truth));
  }
  return psnr.total(parts);
}
