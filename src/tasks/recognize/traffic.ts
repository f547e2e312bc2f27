/** Photographs to recognise as callers send them: as they are, scaled up from half the resolution, tilted, or saved badly. */
import { decodeImage, encodeImage, type Planes } from '../../codecs/images.ts';
import { pickImages, type LabelledImages } from '../../data/class-folders.ts';
import { shuffled } from '../../data/labelled-batches.ts';
import type { Random } from '../../data/random.ts';
import { resize } from '../../codecs/resize.ts';
import { rotate } from '../../data/rotate.ts';
import {
  partOf,
  parts,
  randomOf,
  sourceOf,
  type Part,
  type Shares,
  type Traffic,
} from '../../evaluation/traffic.ts';

/** A class of the mix: an image as it is posted, of the same size. */
interface PhotographKind {
  readonly kind: string;
  readonly weight: number;
  readonly change: (image: Planes, random: Random) => Planes | Promise<Planes>;
}

/** The largest angle by which an image is tilted, degrees either way. */
const TILT = 10;
const QUALITY = 30;

/** The mix of photographs; the weights add up to one. */
export const photographMix: readonly PhotographKind[] = [
  { kind: 'plain', weight: 0.4, change: (image) => image },
  { kind: 'half resolution', weight: 0.2, change: halved },
  {
    kind: 'tilted',
    weight: 0.2,
    change: (image, random) => rotate(image, TILT * (2 * random.uniform() - 1)),
  },
  { kind: 'JPEG q30', weight: 0.2, change: (image) => asJpeg(image, QUALITY) },
];

/**
 * Images of one part in random order: the first n requests show each of n images once, the next n again. The content of an
 * image is the source of all requests that show it. The truth is [1], the number of its class.
 *
 * @param input the name of the model's input
 */
export function recognizeTraffic(
  { images, classes }: LabelledImages,
  part: Part,
  seed: number,
  input = 'image',
): Traffic {
  const order = shuffled(images.length, randomOf(part, seed, 0));
  return {
    part,
    draw: async (i) => {
      // The first random numbers belong to the order.
      const random = randomOf(part, seed, i + 1);
      const which = order[i % order.length]!;
      const { kind, change } = random.weighted(photographMix);
      const { data, channels, height, width } = await change(images[which]!, random);
      return {
        kind,
        source: sourceOf(eightBits(images[which]!.data)),
        sample: { [input]: { data, dims: [channels, height, width] } },
        truth: Float32Array.of(classes[which]!),
      };
    },
  };
}

/** Of the images of the training folder. The folder of test images is the test part. */
export const trainingShares: Shares = { training: 8, selection: 1, certification: 1 };

/** Divides images among parts by a hash of their content, so that copies of an image stay together; labels stay. */
export function splitImages(
  images: LabelledImages,
  shares: Shares = trainingShares,
): Readonly<Record<Part, LabelledImages>> {
  const owners = images.images.map(({ data }) => partOf(eightBits(data), shares));
  const entries = parts.map((part) => [
    part,
    pickImages(
      images,
      owners.flatMap((owner, i) => (owner === part ? [i] : [])),
    ),
  ]);
  return Object.fromEntries(entries) as Record<Part, LabelledImages>;
}

function halved(image: Planes): Planes {
  const { width, height } = image;
  return resize(resize(image, Math.ceil(width / 2), Math.ceil(height / 2)), width, height);
}

async function asJpeg(image: Planes, quality: number): Promise<Planes> {
  const decoded = {
    ...image,
    format: 'png',
    bits: 8,
    alpha: undefined,
    source: undefined,
  } as const;
  const file = await encodeImage(decoded, 'jpeg', { quality });
  return decodeImage(file, image.width * image.height);
}

/** Values in [0,1] as an 8-bit file holds them. */
const eightBits = (data: Float32Array): Uint8Array =>
  Uint8Array.from(data, (value) => Math.round(255 * value));
