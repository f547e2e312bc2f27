import type { Planes } from '../../src/codecs/images.ts';
import type { Array32 } from '../../src/engine/types.ts';
import { Mosaic, type Tile } from '../../src/tasks/denoise/tiles.ts';

/** The pixels of an image that is put together from all its tiles. */
export function joined(
  { channels, width, height }: Omit<Planes, 'data'>,
  tiles: readonly Tile[],
  parts: readonly Array32[],
  blend: number,
): Float32Array {
  const mosaic = new Mosaic({ channels, width, height }, tiles, blend);
  parts.forEach((part, index) => mosaic.add(index, part));
  return mosaic.toPlanes().data;
}
