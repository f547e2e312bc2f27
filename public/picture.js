/** The picture that is denoised: its pixels, what is sent of it, and the quality of the answer. */
import { element } from './dom.js';
import * as images from './images.js';
import { addNoise } from './noise.js';

/**
 * Gives `{source, bitmap, file?, pixels, width, height, reduced, gray, name}`; `file` is the source where that has
 * just these pixels.
 * @param source the file; its `gray` asks for a gray picture
 * @param longest the longer side of the result at most, pixels
 */
export function readPicture(source, bitmap, longest) {
  const canvas = images.toCanvas(bitmap, longest);
  const { width, height } = canvas;
  const pixels = images.pixelsOf(canvas);
  if (source.gray) images.makeGray(pixels);
  const reduced = width < bitmap.width;
  const file = reduced || source.gray ? undefined : source;
  const gray = images.isGray(pixels);
  const name = (source.name ?? 'picture').replace(/\.\w+$/, '');
  return { source, bitmap, file, pixels, width, height, reduced, gray, name };
}

/** What is sent, `{blob, pixels, added?}`: the chosen file where nothing was added, else a PNG. */
export async function withNoise({ pixels, width, height, gray, file }, { kind, strength }) {
  if (strength === 0 && file) return { blob: file, pixels };
  const noisy = strength > 0 ? addNoise(pixels, width, { kind, strength, gray }) : pixels;
  const canvas = element('canvas', { width, height });
  canvas
    .getContext('2d')
    .putImageData(new ImageData(new Uint8ClampedArray(noisy), width, height), 0, 0);
  return { blob: await images.toPng(canvas), pixels: noisy, added: strength > 0 };
}

/** PSNR before and after, dB, where the page added the noise and so knows the clean picture. */
export async function qualityOf(picture, { added, pixels }, answer) {
  if (!added) return undefined;
  const answered = images.pixelsOf(images.toCanvas(await createImageBitmap(answer)));
  return {
    before: images.psnr(picture.pixels, pixels),
    after: images.psnr(picture.pixels, answered),
  };
}
