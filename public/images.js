/** Pictures in the browser: taking files, pixels, quality. */
import { call } from './api.js';

/** Hands every picture that is chosen, dropped or pasted to the task, while its panel is open. */
export function takePictures(panel, take) {
  const input = panel.querySelector('[data-file]');
  input.addEventListener('change', () => {
    if (input.files[0]) take(input.files[0]);
    // The same file may be chosen again.
    input.value = '';
  });
  const onTransfer = (event, { files }) => {
    if (panel.hidden || files.length === 0) return;
    event.preventDefault();
    take(files[0]);
  };
  document.addEventListener('drop', (event) => onTransfer(event, event.dataTransfer));
  document.addEventListener('paste', (event) => onTransfer(event, event.clipboardData));
}

/** A dropped file never replaces the page; the frame that takes it is marked while it hovers. */
export function guardDrops() {
  const mark = (on) => document.body.classList.toggle('dragging', on);
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    mark(true);
  });
  document.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) mark(false);
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    mark(false);
  });
}

const FORMATS = 'Choose a PNG, JPEG, WebP, AVIF or TIFF file.';

/** Has the service turn a file that the browser cannot read, such as TIFF, into a PNG. */
export async function convert(file, signal) {
  const query = 'strength=0&format=png';
  return (await call(`v1/denoise?${query}`, { method: 'POST', body: file, signal })).blob();
}

/**
 * Decodes a file.
 * @param convertFile for files that the browser cannot read
 */
export async function decode(file, convertFile) {
  if (file.type && !file.type.startsWith('image/'))
    throw new Error(`${file.name ?? 'This'} is not a picture. ${FORMATS}`);
  try {
    return await createImageBitmap(file);
  } catch {
    const name = file.name ?? 'This picture';
    const readable = await convertFile(file).catch((error) => {
      if (error.name === 'AbortError') throw error;
      throw new Error(`${name} cannot be read: ${error.message} ${FORMATS}`);
    });
    return createImageBitmap(readable);
  }
}

/** A canvas with the picture, its longer side at most `longest` pixels. */
export function toCanvas(picture, longest = Infinity) {
  const share = Math.min(1, longest / Math.max(picture.width, picture.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(share * picture.width));
  canvas.height = Math.max(1, Math.round(share * picture.height));
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** The RGBA bytes of a canvas. */
export const pixelsOf = (canvas) =>
  canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;

/** The canvas as a PNG file. */
export const toPng = (canvas) => new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));

/** Whether all channels agree, so that the service takes the picture for a gray one. */
export function isGray(pixels) {
  for (let i = 0; i < pixels.length; i += 4)
    if (pixels[i] !== pixels[i + 1] || pixels[i] !== pixels[i + 2]) return false;
  return true;
}

/** Makes RGBA bytes gray, in place. */
export function makeGray(pixels) {
  for (let i = 0; i < pixels.length; i += 4) {
    const tone = Math.round(0.299 * pixels[i] + 0.587 * pixels[i + 1] + 0.114 * pixels[i + 2]);
    pixels.fill(tone, i, i + 3);
  }
}

/** Peak signal-to-noise ratio of two pictures, dB, at most 99. */
export function psnr(a, b) {
  let squares = 0;
  for (let i = 0; i < a.length; i++) if (i % 4 < 3) squares += (a[i] - b[i]) ** 2;
  return Math.min(99, 10 * Math.log10(255 ** 2 / (squares / (0.75 * a.length))));
}

/** Bytes of base64 as a file. */
export function fromBase64(text, type) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Blob([bytes], { type });
}
