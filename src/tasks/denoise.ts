/** Denoising: an image in, the same image without its noise out, in the format it came in or the one asked for. */
import { isFormat, type ImageFormat } from '../codecs/formats.ts';
import { decodeImage, encodeImage, type DecodedImage } from '../codecs/images.ts';
import { multipleOf } from '../bundle/shape.ts';
import type { DecodedRequest, RunResult, TaskAnswer, TaskDecoder, TaskRequest } from '../engine/types.ts';
import { Problem } from '../errors.ts';
import { chooseModel } from './model.ts';
import { depthFields, depthHeaders, depthSummary, jsonAnswer, readablePi } from './report.ts';
import { cutTile, defaultTiles, joinTiles, layTiles, type Tile } from './tiles.ts';

export interface ImageLimits {
  /** More pixels are refused from the header alone. */
  readonly maxPixels: number;
}

export const denoise =
  ({ maxPixels }: ImageLimits): TaskDecoder =>
  async (request, models): Promise<DecodedRequest> => {
    const image = await decodeImage(request.body, maxPixels);
    const channelsOf = (shape: readonly (number | string)[] | undefined): number => Number(shape?.[1]);
    const manifest = chooseModel(models, 'denoise', request.model, ({ inputs }) => channelsOf(inputs[0]?.shape) === image.channels);
    const { name, shape } = manifest.inputs[0]!;
    if (channelsOf(shape) !== image.channels) {
      throw new Problem(
        'bad-image',
        `${manifest.name} takes images of ${channelsOf(shape)} channel(s), this one has ${image.channels}; leave model out, and the one that fits is taken.`,
      );
    }
    const multiple = Math.max(multipleOf(shape[2]!), multipleOf(shape[3]!));
    const tiles = layTiles(image.width, image.height, { ...defaultTiles, multiple });
    const samples = tiles.map((tile) => ({ [name]: cutTile(image, tile, multiple) }));
    const output = manifest.outputs[0]!.name;
    return { model: manifest.name, samples, stopping: request.stopping, encode: (result) => encode(result, image, tiles, output, request) };
  };

async function encode(
  result: RunResult,
  image: DecodedImage,
  tiles: readonly Tile[],
  output: string,
  { accept }: TaskRequest,
): Promise<TaskAnswer> {
  const parts = result.samples.map(({ outputs }) => outputs[output]!);
  const clean: DecodedImage = { ...image, data: joinTiles(image, tiles, parts, defaultTiles.blend) };
  const format = wantedFormat(accept) ?? image.format;
  const bytes = await encodeImage(clean, format);
  if (accept !== 'application/json') return { contentType: `image/${format}`, headers: depthHeaders(result), body: bytes };
  const samples = result.samples.map(({ depth, reason, pi }, i) => {
    const { x, y } = tiles[i]!;
    return { depth, reason, pi: readablePi(pi), x: x.start, y: y.start, width: x.end - x.start, height: y.end - y.start };
  });
  const { width, height } = image;
  const data = Buffer.from(bytes).toString('base64');
  return jsonAnswer({ ...depthFields(result), ...depthSummary(result), samples, image: { format, width, height, data } });
}

/** `image/png` → png; nothing for JSON, whose image keeps the format it came in. */
function wantedFormat(accept: string | undefined): ImageFormat | undefined {
  const format = accept?.startsWith('image/') ? accept.slice('image/'.length) : undefined;
  return isFormat(format) ? format : undefined;
}
