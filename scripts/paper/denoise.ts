/** Denoising: the paper's third experiment and further measurements. */
import { color } from './denoise/color.ts';
import { gray } from './denoise/gray.ts';
import { map } from './denoise/map.ts';
import { otherNoise } from './denoise/other-noise.ts';
import { prices } from './denoise/prices.ts';
import { publishedForm } from './denoise/published-form.ts';
import { shapes } from './denoise/shapes.ts';
import type { Reproduction } from './report.ts';
import { training } from './training.ts';

export const denoise: Reproduction = {
  title: 'Denoising',
  parts: [gray, publishedForm, shapes, prices, color, otherNoise, map, training('denoise')],
};
