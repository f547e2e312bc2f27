/** Denoising: an image in, the same image without its noise out, in the format it came in or the one asked for. */
import { isFormat, type ImageFormat } from '../../codecs/formats.ts';
import { decodeImage, encodeImage, type DecodedImage, type Planes } from '../../codecs/images.ts';
import { multipleOf } from '../../bundle/shape.ts';
import { channelsOf, type Manifest } from '../../bundle/manifest.ts';
import type {
  DecodedRequest,
  RunResult,
  Sample,
  TaskAnswer,
  PlainTaskDecoder,
} from '../../engine/types.ts';
import { Problem } from '../../errors.ts';
import { chooseModel } from '../common/choose-model.ts';
import {
  depthFields,
  depthHeaders,
  depthSummary,
  jsonAnswer,
  readablePi,
} from '../common/depth-report.ts';
import { cutTile, defaultTiles, joinTiles, layTiles, type Tile } from './tiles.ts';

export interface ImageLimits {
  /** More pixels are refused from the header alone. */
  readonly maxPixels: number;
}

export const denoise =
  ({ maxPixels }: ImageLimits): PlainTaskDecoder =>
  async (request, models): Promise<DecodedRequest> => {
    // Once the tiles are cut nothing may hold on to the image's own pixels: no closure below sees `data`.
    const { data, ...frame } = await decodeImage(request.body, maxPixels);
    const manifest = chooseDenoiser(models, request.model, frame.channels);
    const { name, shape } = manifest.inputs[0]!;
    const multiple = Math.max(multipleOf(shape[2]!), multipleOf(shape[3]!));
    const tiles = layTiles(frame.width, frame.height, { ...defaultTiles, multiple });
    const samples = cutTiles({ ...frame, data }, tiles, name, multiple);
    const output = manifest.outputs[0]!.name;
    const { accept, depthMap = false } = request;
    const encode = (result: RunResult): Promise<TaskAnswer> =>
      depthMap && accept !== 'application/json'
        ? encodeDepths(result, frame, tiles)
        : encodeImages(result, frame, tiles, { output, accept, depthMap });
    return { model: manifest.name, samples, stopping: request.stopping, encode };
  };

function chooseDenoiser(
  models: ReadonlyMap<string, Manifest>,
  name: string | undefined,
  channels: number,
): Manifest {
  const manifest = chooseModel(models, 'denoise', name, (model) => channelsOf(model) === channels);
  if (channelsOf(manifest) === channels) return manifest;
  throw new Problem(
    'bad-image',
    `${manifest.name} takes images of ${channelsOf(manifest)} channel(s), this one has ${channels}; leave model out, and the one that fits is taken.`,
  );
}

const cutTiles = (
  image: Planes,
  tiles: readonly Tile[],
  name: string,
  multiple: number,
): Sample[] => tiles.map((tile) => ({ [name]: cutTile(image, tile, multiple) }));

type Frame = Omit<DecodedImage, 'data'>;

interface Wanted {
  readonly output: string;
  readonly accept: string | undefined;
  readonly depthMap: boolean;
}

async function encodeImages(
  result: RunResult,
  frame: Frame,
  tiles: readonly Tile[],
  { output, accept, depthMap }: Wanted,
): Promise<TaskAnswer> {
  const parts = result.samples.map(({ outputs }) => outputs[output]!);
  const format = wantedFormat(accept) ?? frame.format;
  const bytes = await encodeImage(
    { ...frame, data: joinTiles(frame, tiles, parts, defaultTiles.blend) },
    format,
  );
  if (accept !== 'application/json')
    return { contentType: `image/${format}`, headers: depthHeaders(result), body: bytes };
  const samples = result.samples.map(({ depth, reason, pi }, i) => {
    const { x, y } = tiles[i]!;
    return {
      depth,
      reason,
      pi: readablePi(pi),
      x: x.start,
      y: y.start,
      width: x.end - x.start,
      height: y.end - y.start,
    };
  });
  const { width, height } = frame;
  const image = { format, width, height, data: Buffer.from(bytes).toString('base64') };
  const map = depthMap && { depth_map: depthGrid(result, tiles) };
  return jsonAnswer({ ...depthFields(result), ...depthSummary(result), ...map, samples, image });
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
async function encodeDepths(
  result: RunResult,
  { width, height }: Frame,
  tiles: readonly Tile[],
): Promise<TaskAnswer> {
  const data = new Float32Array(width * height);
  tiles.forEach(({ x, y }, i) => {
    const brightness = result.samples[i]!.depth / result.maxDepth;
    for (let row = y.start; row < y.end; row++)
      data.fill(brightness, row * width + x.start, row * width + x.end);
  });
  const body = await encodeImage(
    {
      data,
      width,
      height,
      channels: 1,
      format: 'png',
      bits: 8,
      alpha: undefined,
      source: undefined,
    },
    'png',
  );
  return { contentType: 'image/png', headers: depthHeaders(result), body };
}

/** `image/png` → png; nothing for JSON, whose image keeps the format it came in. */
function wantedFormat(accept: string | undefined): ImageFormat | undefined {
  const format = accept?.startsWith('image/') ? accept.slice('image/'.length) : undefined;
  return isFormat(format) ? format : undefined;
}
