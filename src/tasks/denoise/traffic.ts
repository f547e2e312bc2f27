/** The requests that denoising models are trained, calibrated and measured on: images of each kind, mixed by weight, seeded. */
import type { Planes } from '../../codecs/images.ts';
import { Random } from '../../data/random.ts';
import { mix } from '../../util/mix.ts';
import { drawCamera } from './camera.ts';
import { camera, gaussian, grain, savedAsJpeg, shared, type Noised } from './conditions.ts';
import { drawDrawing } from './drawings.ts';
import type { JpegOptions } from './jpeg.ts';
import { parts, type Part, type Photograph } from './photographs.ts';
import { noiseLevel, toGray, toRgb } from './planes.ts';

/** Bounds of σ of independent and shared noise, of 255; σ is log-uniform between them. */
export type SigmaRange = readonly [low: number, high: number];
/** The σ range of the traffic, of 255; patches use it where they set none. */
export const trafficSigma: SigmaRange = [2, 75];

/** An image with its noise, and the JPEG options it is still to be saved with, if any. */
export interface Drawn extends Noised {
  readonly jpeg?: JpegOptions;
}

/** One class of the mix. */
export interface Kind {
  readonly name: string;
  /** Its share of the traffic. */
  readonly weight: number;
  readonly source: 'photograph' | 'drawing';
  /** By how many pixels a window must be larger than a patch for the noise not to depend on the window's border. */
  readonly margin: number;
  readonly draw: (image: Planes, random: Random, sigma: SigmaRange) => Drawn;
}

const logUniform = ([low, high]: SigmaRange, random: Random): number =>
  low * (high / low) ** random.uniform();

/** Photographs that may be saved as JPEG. */
const plainKinds = [
  {
    name: 'clean',
    weight: 0.2,
    source: 'photograph',
    margin: 0,
    // Half of them without any noise, the others up to σ 2.
    draw: (image, random) =>
      gaussian(random.uniform() < 0.5 ? 0 : 2 * random.uniform())(image, random),
  },
  {
    name: 'gaussian',
    weight: 0.35,
    source: 'photograph',
    margin: 0,
    draw: (image, random, sigma) => gaussian(logUniform(sigma, random))(image, random),
  },
  {
    name: 'shared',
    weight: 0.1,
    source: 'photograph',
    margin: 0,
    draw: (image, random, sigma) => shared(logUniform(sigma, random))(image, random),
  },
  {
    name: 'camera',
    weight: 0.15,
    source: 'photograph',
    margin: 16,
    draw: (image, random) => camera(drawCamera(random))(image, random),
  },
] as const satisfies readonly Kind[];

/** All classes of the mix; their weights add up to one. */
export const kinds = [
  ...plainKinds,
  {
    name: 'jpeg',
    weight: 0.1,
    source: 'photograph',
    margin: 16,
    draw: (image, random, sigma) => ({
      ...pickKind(plainKinds, random).draw(image, random, sigma),
      jpeg: {
        quality: 60 + random.integer(36),
        chroma: random.uniform() < 0.5 ? '4:2:0' : '4:4:4',
      },
    }),
  },
  {
    name: 'grain',
    weight: 0.05,
    source: 'photograph',
    margin: 8,
    draw: (image, random) =>
      grain({
        sigma: logUniform([3, 30], random),
        radius: 0.5 + random.uniform(),
        common: 0.5 + 0.5 * random.uniform(),
      })(image, random),
  },
  {
    name: 'drawing',
    weight: 0.05,
    source: 'drawing',
    margin: 0,
    draw: (image) => ({ clean: image, noisy: image }),
  },
] as const satisfies readonly Kind[];

/** The name of a class of the mix. */
export type KindName = (typeof kinds)[number]['name'];

/** A kind at random, by weight. */
export function pickKind<K extends Pick<Kind, 'weight'>>(from: readonly K[], random: Random): K {
  let at = random.uniform() * from.reduce((sum, { weight }) => sum + weight, 0);
  return from.find(({ weight }) => (at -= weight) < 0) ?? from.at(-1)!;
}

/** How a photograph is stored: a tenth are gray, half of those with three equal channels. */
export type Form = 'colour' | 'gray' | 'gray as RGB';
/** The probability that a colour photograph is converted to gray. */
export const GRAY_SHARE = 0.1;

/** One clean and noisy pair of images, and how it was made. */
export interface TrafficRequest {
  readonly kind: KindName;
  readonly form: Form;
  /** Whose draws are not independent of each other: the photograph's name, or the number of a drawing. */
  readonly source: string;
  /** Both [C,H,W], 8 bits. */
  readonly clean: Planes;
  readonly noisy: Planes;
  /** Root mean square of noisy − clean, of 255. */
  readonly sigma: number;
}

/** Photographs, part, seed and channels that determine a traffic. */
export interface TrafficOptions {
  readonly photographs: readonly Photograph[];
  readonly part: Part;
  readonly seed: number;
  /** 1: gray files alone; 3: RGB files alone. Without it a twentieth of the files is gray. */
  readonly channels?: 1 | 3;
}

/** Reproducible requests of one part, drawn by index. */
export interface Traffic {
  /** Sources; request i uses source i mod `sources`, so the first `sources` requests have one each. */
  readonly sources: number;
  /** Request i; depends on part, seed, channels, photographs and i alone. */
  draw(i: number): Promise<TrafficRequest>;
}

type Source = { readonly drawing: number } | { readonly photograph: Photograph };

/** Traffic of a part. A twentieth of the sources are drawings, which are drawn anew for each request. */
export function denoiseTraffic(options: TrafficOptions): Traffic {
  const { photographs, part, seed, channels } = options;
  const start = mix(mix(seed) + parts.indexOf(part));
  const sources = shuffledSources(photographs, new Random(start));
  return {
    sources: sources.length,
    async draw(i) {
      const source = sources[i % sources.length]!;
      const random = new Random(mix(start + 1) + i);
      const image = 'drawing' in source ? drawLike(photographs, random) : source.photograph.image;
      const kind = pickKind(kindsOf('drawing' in source ? 'drawing' : 'photograph'), random);
      const form = drawForm(image, kind.source, channels, random);
      const { clean, noisy, jpeg } = drawnAs(form, image, kind, random, trafficSigma);
      const sent = jpeg ? await savedAsJpeg(noisy, jpeg) : noisy;
      return {
        kind: kind.name,
        form,
        source: 'drawing' in source ? `drawing ${source.drawing}` : source.photograph.name,
        clean,
        noisy: sent,
        sigma: noiseLevel(clean.data, sent.data),
      };
    },
  };
}

const kindsOf = (source: Kind['source']) => kinds.filter((kind) => kind.source === source);

/** The photographs and as many drawings as their weight asks for, at least one, in a random order. */
function shuffledSources(photographs: readonly Photograph[], random: Random): Source[] {
  const share = kindsOf('drawing').reduce((sum, { weight }) => sum + weight, 0);
  const drawings = Math.max(1, Math.round((photographs.length * share) / (1 - share)));
  return [
    ...photographs.map((photograph): Source => ({ photograph })),
    ...Array.from({ length: drawings }, (_, drawing): Source => ({ drawing })),
  ]
    .map((source) => ({ source, order: random.uniform() }))
    .sort((a, b) => a.order - b.order)
    .map(({ source }) => source);
}

/** A drawing as large as one of the photographs. */
function drawLike(photographs: readonly Photograph[], random: Random): Planes {
  const { width, height } = photographs[random.integer(photographs.length)]!.image;
  return drawDrawing([width, height], random);
}

function drawForm(
  image: Planes,
  source: Kind['source'],
  channels: 1 | 3 | undefined,
  random: Random,
): Form {
  const [gray, asRgb] = [random.uniform() < GRAY_SHARE, random.uniform() < 0.5];
  if (channels === 1) return 'gray';
  if (image.channels === 3 && !(gray && source === 'photograph')) return 'colour';
  return channels === 3 || (image.channels === 3 && asRgb) ? 'gray as RGB' : 'gray';
}

/** An image of a form with noise of a kind. Noise of gray images is gray, and stored as the image is. */
export function drawnAs(
  form: Form,
  image: Planes,
  kind: Kind,
  random: Random,
  sigma: SigmaRange,
): Drawn {
  const drawn = kind.draw(form === 'colour' ? image : toGray(image), random, sigma);
  return form === 'gray as RGB'
    ? { ...drawn, clean: toRgb(drawn.clean), noisy: toRgb(drawn.noisy) }
    : drawn;
}
