/** Stop depth of small windows of one image. */
import { encodeImage } from '../../../src/codecs/images.ts';
import { crop } from '../../../src/codecs/crop.ts';
import { denoiseConditions } from '../../../src/tasks/denoise/test-data.ts';
import { heatMap } from '../../plots/heat-map.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { GRAY, SEED, withModels, type Setting } from './setting.ts';

export const map: Part = {
  name: 'map',
  about: 'Stop depth of the windows of one image, as a map.',
  run: (options) => withModels(options, 1, [GRAY], (setting) => run(setting, options)),
};

/** Side and stride of the windows, pixels. */
const WINDOW = 64;
const STEP = 16;
const SIGMA = 35;

async function run(
  { engine, manifests, images }: Setting,
  { onProgress }: ReproduceOptions,
): Promise<Section[]> {
  const manifest = manifests[0]!;
  const input = manifest.inputs[0]!.name;
  const image = images.find(({ width, height }) => Math.min(width, height) >= 2 * WINDOW);
  if (!image)
    throw new Error(
      `Every test image is smaller than ${2 * WINDOW}×${2 * WINDOW} pixels; the map needs a larger one.`,
    );
  const [condition] = denoiseConditions([image], manifest, [SIGMA], SEED);
  const { sample } = condition!.cases[0]!;
  const { data, dims } = sample[input]!;
  const [, height, width] = dims as [number, number, number];
  const noisy = { channels: 1 as const, width, height, data };
  const depths: number[][] = [];
  for (let top = 0; top + WINDOW <= height; top += STEP) {
    onProgress('windows', top / height);
    const samples = [];
    for (let left = 0; left + WINDOW <= width; left += STEP) {
      samples.push({
        [input]: { data: crop(noisy, left, top, WINDOW, WINDOW).data, dims: [1, WINDOW, WINDOW] },
      });
    }
    const result = await engine.run(manifest.name, samples);
    depths.push(result.samples.map(({ depth }) => depth));
  }
  const png = (planes: typeof noisy) =>
    encodeImage({ ...planes, format: 'png', bits: 8, alpha: undefined, source: undefined }, 'png');
  return [
    {
      heading: 'Where depth goes',
      text: `One image with σ ${SIGMA}, cut into windows of ${WINDOW}×${WINDOW} pixels every ${STEP} pixels; each is a sample with its own depth.`,
      figures: [
        { file: 'map-noisy.png', caption: 'The noisy image', content: await png(noisy) },
        {
          file: 'map-depth.svg',
          caption: 'The depth each window takes',
          content: await heatMap({
            title: 'Depth of each window',
            x: 'column',
            y: 'row',
            value: 'layers',
            values: depths,
          }),
        },
      ],
    },
  ];
}
