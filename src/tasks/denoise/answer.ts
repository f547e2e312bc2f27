/** The answers of denoising: the image, or JSON with the image inside, or a picture of the depths. */
import Type from 'typebox';
import { formats } from '../../codecs/formats.ts';
import { encodeImage, type DecodedImage } from '../../codecs/images.ts';
import type { Array32, RunResult, SampleResult, TaskAnswer } from '../../engine/types.ts';
import { at, entry } from '../../util/at.ts';
import { answerSchema, Stop } from '../common/answers.ts';
import {
  depthFields,
  depthHeaders,
  depthSummary,
  jsonAnswer,
  stopFields,
} from '../common/depth-report.ts';
import { jsonBytes } from '../common/exits.ts';
import { Base64 } from '../common/media-types.ts';
import { toRgb } from './planes.ts';
import { defaultTiles, Mosaic, type Tile } from './tiles.ts';
import type { Wanted } from './wanted.ts';

const Place = {
  x: Type.Integer(),
  y: Type.Integer(),
  width: Type.Integer(),
  height: Type.Integer(),
};

/** Schema of a JSON answer. */
export const Answer = answerSchema({
  depth: Type.Integer({ description: 'Depth of the deepest tile.' }),
  depth_mean: Type.Number({ description: 'Mean depth over the tiles.' }),
  noise_level: Type.Optional(
    Type.Number({
      description:
        'The noise found in the image: its standard deviation, of 255. Where the model estimates it.',
    }),
  ),
  depth_map: Type.Optional(
    Type.Array(Type.Array(Type.Integer()), { description: 'With depth_map=true: tile by tile.' }),
  ),
  samples: Type.Array(Type.Object({ ...Stop, ...Place }), { description: 'The tiles.' }),
  image: Type.Object({
    format: Type.Enum(formats),
    width: Place.width,
    height: Place.height,
    data: Base64('The image file in base64.'),
  }),
});

type Frame = Omit<DecodedImage, 'data'>;

/** The image as it was sent, and as the model was given it. */
export interface Sent {
  readonly frame: Frame;
  readonly file: Uint8Array;
  /** Channels of the tiles: 1 for a colour file whose channels agree. */
  readonly channels: 1 | 3;
  readonly tiles: readonly Tile[];
  /** The tiles before the model, where the answer is mixed with them. */
  readonly before?: readonly Array32[];
}

/** The denoised image as its tiles arrive. */
export class Denoised {
  private isUntouched = true;
  private readonly mosaic: Mosaic;

  constructor(
    private readonly sent: Sent,
    private readonly wanted: Wanted,
  ) {
    const { frame, channels, tiles } = sent;
    const { width, height } = frame;
    this.mosaic = new Mosaic({ channels, width, height }, tiles, defaultTiles.blend);
  }

  /** Takes a tile, once. @param index its place among the tiles */
  add(index: number, { depth, outputs }: Pick<SampleResult, 'depth' | 'outputs'>): void {
    const { before } = this.sent;
    const after = entry(outputs, 'denoised');
    if (depth !== 0) this.isUntouched = false;
    this.mosaic.add(index, before ? mix(at(before, index), after, this.wanted.strength) : after);
  }

  /** The image file: the one that was sent where no tile was changed and nothing else is asked for. */
  async toFile(): Promise<Uint8Array> {
    const { frame, file } = this.sent;
    const { format, quality, metadata, background } = this.wanted;
    const isPlain = format === frame.format && quality === undefined && metadata === 'keep';
    if (isPlain && this.isUntouched) return file;
    const joined = this.mosaic.toPlanes();
    const { data } = frame.channels === 3 ? toRgb(joined) : joined;
    const options = { metadata, ...(quality !== undefined && { quality }) };
    const behind = background !== undefined && { background };
    return encodeImage({ ...frame, data }, format, { ...options, ...behind });
  }
}

/** The root mean square of the tiles' noise levels. */
export const imageNoiseLevel = (levels: readonly number[]): number =>
  Math.sqrt(levels.reduce((sum, level) => sum + level ** 2, 0) / levels.length);

/** The noise level, of 255; nothing where the model does not estimate it. */
function noiseLevelOf({ samples }: RunResult): number | undefined {
  const levels = samples.flatMap(({ statistic }) => statistic ?? []);
  return levels.length < samples.length ? undefined : Number(imageNoiseLevel(levels).toFixed(2));
}

/** before + strength · (after − before). */
const mix = (before: Array32, after: Array32, strength: number): Array32 => ({
  dims: after.dims,
  data: after.data.map((value, i) => before.data[i]! + strength * (value - before.data[i]!)),
});

/** The image at an exit in base64, as JSON text. @param result of the only tile */
export async function encodeImageAt(
  result: Pick<SampleResult, 'depth' | 'outputs'>,
  sent: Sent,
  wanted: Wanted,
): Promise<Uint8Array> {
  const image = new Denoised(sent, wanted);
  image.add(0, result);
  return jsonBytes(Buffer.from(await image.toFile()).toString('base64'));
}

/** The denoised image, or JSON with the image inside. */
export async function encodeImages(
  result: RunResult,
  image: Denoised,
  { frame, tiles }: Sent,
  { format, json, depthMap }: Wanted,
): Promise<TaskAnswer> {
  const bytes = await image.toFile();
  const noiseLevel = noiseLevelOf(result);
  if (!json) {
    const level = noiseLevel !== undefined && { 'x-noise-level': String(noiseLevel) };
    return {
      contentType: `image/${format}`,
      headers: { ...depthHeaders(result), ...level },
      body: bytes,
    };
  }
  const samples = result.samples.map((sample, i) => {
    const { x, y } = at(tiles, i);
    const place = { x: x.start, y: y.start, width: x.end - x.start, height: y.end - y.start };
    return { ...stopFields(sample), ...place };
  });
  const { width, height } = frame;
  return jsonAnswer(result, {
    ...depthFields(result),
    ...depthSummary(result),
    ...(noiseLevel !== undefined && { noise_level: noiseLevel }),
    ...(depthMap && { depth_map: depthGrid(result, tiles) }),
    samples,
    image: { format, width, height, data: Buffer.from(bytes).toString('base64') },
  });
}

/** The depth of every tile, row by row from the top. */
function depthGrid({ samples }: RunResult, tiles: readonly Tile[]): number[][] {
  const columns = tiles.filter(({ y }) => y.start === 0).length;
  const depths = samples.map(({ depth }) => depth);
  return Array.from({ length: depths.length / columns }, (_, row) =>
    depths.slice(row * columns, (row + 1) * columns),
  );
}

/** A gray PNG of the image's size, each tile as bright as it was deep: white is the model's full depth. */
export async function encodeDepths(
  result: RunResult,
  { frame: { width, height }, tiles }: Sent,
): Promise<TaskAnswer> {
  const data = new Float32Array(width * height);
  tiles.forEach(({ x, y }, i) => {
    const brightness = at(result.samples, i).depth / result.maxDepth;
    for (let row = y.start; row < y.end; row++)
      data.fill(brightness, row * width + x.start, row * width + x.end);
  });
  const plain = { bits: 8, alpha: undefined, source: undefined } as const;
  const body = await encodeImage(
    { data, width, height, channels: 1, format: 'png', ...plain },
    'png',
  );
  return { contentType: 'image/png', headers: depthHeaders(result), body };
}
