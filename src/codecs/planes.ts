import sharp from 'sharp';

/** An image as numbers: [C,H,W] in [0,1], plane after plane. */
export interface Planes {
  readonly channels: 1 | 3;
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/** Reads a file as gray (1 channel) or colour (3); as it is, without alpha, where `channels` is not given. */
export async function readPlanes(file: string, channels?: 1 | 3): Promise<Planes> {
  const image = sharp(file).autoOrient();
  const { channels: stored = 3 } = await image.metadata();
  const wanted = channels ?? (stored < 3 ? 1 : 3);
  const { data, info } = await image
    .removeAlpha()
    .toColourspace(wanted === 1 ? 'b-w' : 'srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { channels: wanted, width: info.width, height: info.height, data: toPlanes(data, info.channels, wanted) };
}

/** Interleaved bytes to planes in [0,1]. */
function toPlanes(bytes: Uint8Array, stored: number, channels: 1 | 3): Float32Array {
  const pixels = bytes.length / stored;
  const data = new Float32Array(channels * pixels);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < pixels; i++) data[c * pixels + i] = bytes[i * stored + Math.min(c, stored - 1)]! / 255;
  }
  return data;
}
