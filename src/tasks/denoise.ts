/** Denoising: an image in, the same image without its noise out, in the format it came in or the one asked for. */
import { isFormat, type ImageFormat } from '../codecs/formats.ts';
import { decodeImage, encodeImage, type DecodedImage, type Planes } from '../codecs/images.ts';
import { multipleOf } from '../bundle/shape.ts';
import type { Manifest } from '../bundle/manifest.ts';
import type { DecodedRequest, RunResult, Sample, TaskAnswer, TaskDecoder } from '../engine/types.ts';
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
    // Once the tiles are cut nothing may hold on to the image's own pixels: no closure below sees `data`.
    const { data, ...frame } = await decodeImage(request.body, maxPixels);
    const { accept } = request;
    const manifest = chooseDenoiser(models, request.model, frame.channels);
    const { name, shape } = manifest.inputs[0]!;
    const multiple = Math.max(multipleOf(shape[2]!), multipleOf(shape[3]!));
    const tiles = layTiles(frame.width, frame.height, { ...defaultTiles, multiple });
    const samples = cutTiles({ ...frame, data }, tiles, name, multiple);
    const output = manifest.outputs[0]!.name;
    return { model: manifest.name, samples, stopping: request.stopping, encode: (result) => encode(result, frame, tiles, output, accept) };
  };

const channelsOf = ({ inputs }: Manifest): number => Number(inputs[0]?.shape[1]);

function chooseDenoiser(models: ReadonlyMap<string, Manifest>, name: string | undefined, channels: number): Manifest {
  const manifest = chooseModel(models, 'denoise', name, (model) => channelsOf(model) === channels);
  if (channelsOf(manifest) === channels) return manifest;
  throw new Problem(
    'bad-image',
    `${manifest.name} takes images of ${channelsOf(manifest)} channel(s), this one has ${channels}; leave model out, and the one that fits is taken.`,
  );
}

const cutTiles = (image: Planes, tiles: readonly Tile[], name: string, multiple: number): Sample[] =>
  tiles.map((tile) => ({ [name]: cutTile(image, tile, multiple) }));

async function encode(
  result: RunResult,
  frame: Omit<DecodedImage, 'data'>,
  tiles: readonly Tile[],
  output: string,
  accept: string | undefined,
): Promise<TaskAnswer> {
  const parts = result.samples.map(({ outputs }) => outputs[output]!);
  const format = wantedFormat(accept) ?? frame.format;
  const bytes = await encodeImage({ ...frame, data: joinTiles(frame, tiles, parts, defaultTiles.blend) }, format);
  if (accept !== 'application/json') return { contentType: `image/${format}`, headers: depthHeaders(result), body: bytes };
  const samples = result.samples.map(({ depth, reason, pi }, i) => {
    const { x, y } = tiles[i]!;
    return { depth, reason, pi: readablePi(pi), x: x.start, y: y.start, width: x.end - x.start, height: y.end - y.start };
  });
  const { width, height } = frame;
  const image = { format, width, height, data: Buffer.from(bytes).toString('base64') };
  return jsonAnswer({ ...depthFields(result), ...depthSummary(result), samples, image });
}

/** `image/png` → png; nothing for JSON, whose image keeps the format it came in. */
function wantedFormat(accept: string | undefined): ImageFormat | undefined {
  const format = accept?.startsWith('image/') ? accept.slice('image/'.length) : undefined;
  return isFormat(format) ? format : undefined;
}
