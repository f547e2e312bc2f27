/** DnCNN-stop as published, trained by the same code, beside ours. */
import { loadBundles } from '../../../src/bundle/read.ts';
import { denoiseConditions } from '../../../src/tasks/denoise/test-data.ts';
import { denoise } from '../../../src/tasks/learning.ts';
import { evaluate } from '../../../src/evaluation/evaluate.ts';
import type { Part, ReproduceOptions, Section } from '../report.ts';
import { trainingTime } from '../training.ts';
import { GRAY, PUBLISHED_FORM, SEED, withModels, type Setting } from './setting.ts';
import { published } from './published.ts';
import { measuredRows, sigmaColumns } from './tables.ts';

export const publishedForm: Part = {
  name: 'published-form',
  about: 'DnCNN-stop as published, trained by the same code, beside ours: PSNR and time.',
  async run(options) {
    const { bundles } = await loadBundles(options.modelsDir);
    if (!bundles.some(({ manifest }) => manifest.name === PUBLISHED_FORM))
      return [{ heading: HEADING, text: howToLearn }];
    return withModels(options, 1, [PUBLISHED_FORM, GRAY], (setting) => run(setting, options));
  },
};

const HEADING = 'The published form';
const howToLearn =
  `Its bundle is not committed. \`npm run train -- denoise --form published --data DIR --name ` +
  `${PUBLISHED_FORM}\` trains it.`;

/** Two levels from training and one beyond. */
const LEVELS = [35, 55, 75];
/** Only every EVERY-th test image: the published form takes seconds for each. */
const EVERY = 2;

async function run(
  { engine, manifests, images: all, folder }: Setting,
  { onProgress }: ReproduceOptions,
): Promise<Section[]> {
  const images = all.filter((_, i) => i % EVERY === 0);
  const total = manifests.length * LEVELS.length * images.length;
  let done = 0;
  const rows = published
    .filter(({ name }) => name.startsWith('DnCNN'))
    .map(({ name, psnr }): (string | undefined)[] => [
      name,
      ...LEVELS.map((sigma) => psnr[sigma]?.toFixed(2)),
    ]);
  for (const manifest of manifests) {
    const conditions = denoiseConditions(images, manifest, LEVELS, SEED);
    const measured = await evaluate(engine, manifest, conditions, denoise.metric, {}, () =>
      onProgress(manifest.name, ++done / total),
    );
    rows.push(...measuredRows(manifest, measured).map((row) => row.map(String)), [
      'ms an image, policy',
      ...measured.map((row) => row.ms_per_sample.toFixed(0)),
    ]);
  }
  return [
    {
      heading: HEADING,
      text:
        `${PUBLISHED_FORM} works at full resolution, with batch normalisation, and may stop at every layer. Its layers were trained for ` +
        `${trainingTime(manifests[0]!)}, ours for ${trainingTime(manifests[1]!)}. PSNR, dB, mean over ${images.length} images of ${folder} (every second one), ` +
        `seed ${SEED}; the published values are for all images.`,
      tables: [{ columns: ['', ...sigmaColumns(LEVELS)], rows }],
    },
  ];
}
