/** Denoising: the paper's third experiment and further measurements. */
import { color } from './denoise/color.ts';
import { gray } from './denoise/gray.ts';
import { map } from './denoise/map.ts';
import { otherNoise } from './denoise/other-noise.ts';
import { prices } from './denoise/prices.ts';
import { publishedForm } from './denoise/published-form.ts';
import { shapes } from './denoise/shapes.ts';
import { denoise as recipe } from '../../src/tasks/learning.ts';
import { gainPart } from './gain.ts';
import type { Part, Reproduction } from './report.ts';
import { training } from './training.ts';

const gainOf = (name: string, model: string): Part =>
  gainPart({
    name,
    needs: 'learn',
    model,
    metric: recipe.metric,
    traffic: (manifest, { data, learn, modelsDir }, seed) =>
      recipe.traffic({ data: learn, 'test-data': data }, manifest, modelsDir, seed),
  });
const gain = gainOf('gain', 'denoise-gray-traffic');
const colorGain = gainOf('gain-color', 'denoise-color-traffic');

export const denoise: Reproduction = {
  title: 'Denoising',
  parts: [
    gain,
    colorGain,
    gray,
    publishedForm,
    shapes,
    prices,
    color,
    otherNoise,
    map,
    training('denoise'),
  ],
};
