/** Rotation of images. */
import type { Planes } from '../codecs/images.ts';
import { mirrored } from './cut.ts';

/** Rotates about the centre, anticlockwise, by a small angle; the image is mirrored at the border. */
export function rotate(image: Planes, degrees: number): Planes {
  const { channels, width, height, data } = image;
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const [cx, cy] = [(width - 1) / 2, (height - 1) / 2];
  const result = new Float32Array(data.length);
  for (let y = 0, o = 0; y < height; y++) {
    for (let x = 0; x < width; x++, o++) {
      const fromX = cx + cos * (x - cx) - sin * (y - cy);
      const fromY = cy + sin * (x - cx) + cos * (y - cy);
      const [left, top] = [Math.floor(fromX), Math.floor(fromY)];
      const [fx, fy] = [fromX - left, fromY - top];
      const [x0, x1] = [mirrored(left, width), mirrored(left + 1, width)];
      const [y0, y1] = [width * mirrored(top, height), width * mirrored(top + 1, height)];
      for (let c = 0; c < channels; c++) {
        const at = c * width * height;
        result[at + o] =
          (1 - fy) * ((1 - fx) * data[at + y0 + x0]! + fx * data[at + y0 + x1]!) +
          fy * ((1 - fx) * data[at + y1 + x0]! + fx * data[at + y1 + x1]!);
      }
    }
  }
  return { channels, width, height, data: result };
}
