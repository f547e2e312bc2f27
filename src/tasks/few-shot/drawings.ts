/** Reads the images that few-shot models learn from and are measured on: photographs as they are, drawings normalised. */
import type { Manifest } from '../../bundle/manifest.ts';
import type { Planes } from '../../codecs/images.ts';
import { normaliseDrawing } from '../../codecs/normalise-drawing.ts';
import { readClassFolders, type LabelledImages } from '../../data/class-folders.ts';
import { CANVAS } from './traffic.ts';

/** What images a model takes, as its configuration or its manifest says. */
export interface ImageKind {
  readonly channels: 1 | 3;
  /** Width and height that the model takes, pixels. */
  readonly side: number;
  readonly drawings?: boolean | undefined;
}

/** The images that a bundle takes. */
export function kindOf({ inputs, drawings }: Manifest): ImageKind {
  const { shape } = inputs.find(({ name }) => name === 'query')!;
  return { channels: Number(shape[2]) === 1 ? 1 : 3, side: Number(shape[3]), drawings };
}

/** The class folders below `folder`; drawings as they are, larger than the model takes them. */
export const readClasses = (folder: string, { channels, side, drawings }: ImageKind) =>
  readClassFolders(folder, { channels, side: drawings ? Math.max(side, CANVAS) : side });

/** Images as the model takes them. */
export function prepared(images: LabelledImages, kind: ImageKind): LabelledImages {
  const { drawings, side } = kind;
  return drawings ? { ...images, images: images.images.map(preparation(side)) } : images;
}

/** What the service makes of a drawing. Empty sheets, which it refuses, are kept as they are. */
export const preparation =
  (side: number) =>
  (image: Planes): Planes =>
    normaliseDrawing(image, side) ?? {
      channels: 1,
      width: side,
      height: side,
      data: new Float32Array(side * side).fill(1),
    };
