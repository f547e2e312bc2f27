/** Denoising: an image in, the same image without its noise out, in the format it came in or the one asked for. */
import Type from 'typebox';
import { channelsOf, type Manifest } from '../../bundle/manifest.ts';
import { multipleOf } from '../../bundle/shape.ts';
import { formats, imageFormats, isFormat, type ImageFormat } from '../../codecs/formats.ts';
import { decodeImage, encodeImage, type DecodedImage, type Planes } from '../../codecs/images.ts';
import type { RunResult, Sample, TaskAnswer } from '../../engine/types.ts';
import { Problem } from '../../errors.ts';
import { answerSchema, Stop } from '../common/answers.ts';
import { checkPorts } from '../common/check.ts';
import { chooseModel } from '../common/choose-model.ts';
import {
  depthFields,
  depthHeaders,
  depthSummary,
  jsonAnswer,
  readablePi,
} from '../common/depth-report.ts';
import {
  answerType,
  Base64,
  Bytes,
  imageBodies,
  imageForm,
  imageOf,
  imageTypes,
  JSON_TYPE,
} from '../common/media-types.ts';
import { at, entry } from '../../util/at.ts';
import type { Task } from '../task.ts';
import { cutTile, defaultTiles, joinTiles, layTiles, type Tile } from './tiles.ts';

const Place = {
  x: Type.Integer(),
  y: Type.Integer(),
  width: Type.Integer(),
  height: Type.Integer(),
};

const Answer = answerSchema({
  depth: Type.Integer({ description: 'Depth of the deepest tile.' }),
  depth_mean: Type.Number({ description: 'Mean depth over the tiles.' }),
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

const query = {
  format: Type.Optional(
    Type.Enum([...formats, 'json', 'depth'], {
      description:
        'The format of the answer; counts more than Accept. depth: a picture of how deep each tile went, white is full depth.',
    }),
  ),
  depth_map: Type.Optional(
    Type.Boolean({
      description: 'With a JSON answer: the depth of every tile as a grid, `depth_map`.',
    }),
  ),
};

/** `POST /v1/denoise`: denoises an image in tiles that stop independently of each other. */
export const denoise: Task = {
  name: 'denoise',
  route: 'denoise',
  summary: 'An image without its noise; each tile is denoised as deep as it needs.',
  takes: imageBodies,
  gives: {
    ...Object.fromEntries(imageTypes.map((type) => [type, Bytes('The denoised image.')])),
    [JSON_TYPE]: Answer,
  },
  form: imageForm,
  query,
  defaultTolerance: 0.2,
  wanted({ format }) {
    if (format === 'json') return JSON_TYPE;
    if (format === 'depth') return 'image/png';
    return typeof format === 'string' ? `image/${format}` : undefined;
  },
  check: (manifest) => checkPorts(manifest, { inputs: { image: 4 }, outputs: { denoised: 4 } }),

  async decode(request, { models, settings }) {
    // Once the tiles are cut nothing may hold on to the image's own pixels: no closure below sees `data`.
    const { data, ...frame } = await decodeImage(imageOf(request), settings.maxPixels);
    const accept = answerType(request, `image/${frame.format}`);
    const wanted: Wanted = {
      json: accept === JSON_TYPE,
      format: formatOf(accept) ?? frame.format,
      depthPicture: request.options.format === 'depth',
      depthMap: request.options.depth_map === true,
    };
    checkWanted(wanted, frame);
    const manifest = chooseDenoiser(models, request.model, frame.channels);
    const { name, shape } = at(manifest.inputs, 0);
    const multiple = Math.max(multipleOf(at(shape, 2)), multipleOf(at(shape, 3)));
    const tiles = layTiles(frame.width, frame.height, { ...defaultTiles, multiple });
    const samples = cutTiles({ ...frame, data }, tiles, name, multiple);
    return {
      model: manifest.name,
      samples,
      stopping: request.stopping,
      encode: (result) =>
        wanted.depthPicture
          ? encodeDepths(result, frame, tiles)
          : encodeImages(result, frame, tiles, wanted),
    };
  },
};

interface Wanted {
  /** A JSON answer, the image inside. */
  readonly json: boolean;
  readonly format: ImageFormat;
  /** A picture of the depths instead of the image. */
  readonly depthPicture: boolean;
  /** The depths as a grid, in JSON. */
  readonly depthMap: boolean;
}

/** What cannot be answered is refused before any compute. */
function checkWanted({ json, format, depthMap }: Wanted, { width, height }: Frame): void {
  if (depthMap && !json)
    throw new Problem(
      'bad-parameter',
      'depth_map goes with a JSON answer: add format=json, or take the map as an image by format=depth.',
    );
  const { maxSide } = imageFormats[format];
  if (Math.max(width, height) > maxSide)
    throw new Problem(
      'bad-parameter',
      `${format} holds at most ${maxSide} pixels a side, and the image has ${width}×${height}; ask for another format.`,
    );
}

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

async function encodeImages(
  result: RunResult,
  frame: Frame,
  tiles: readonly Tile[],
  { format, json, depthMap }: Wanted,
): Promise<TaskAnswer> {
  const parts = result.samples.map(({ outputs }) => entry(outputs, 'denoised'));
  const data = joinTiles(frame, tiles, parts, defaultTiles.blend);
  const bytes = await encodeImage({ ...frame, data }, format);
  if (!json) return { contentType: `image/${format}`, headers: depthHeaders(result), body: bytes };
  const samples = result.samples.map(({ depth, reason, pi }, i) => {
    const { x, y } = at(tiles, i);
    const place = { x: x.start, y: y.start, width: x.end - x.start, height: y.end - y.start };
    return { depth, reason, pi: readablePi(pi), ...place };
  });
  const { width, height } = frame;
  return jsonAnswer(result, {
    ...depthFields(result),
    ...depthSummary(result),
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
async function encodeDepths(
  result: RunResult,
  { width, height }: Frame,
  tiles: readonly Tile[],
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

/** `image/png` → png; nothing for JSON, whose image keeps the format it came in. */
function formatOf(mediaType: string): ImageFormat | undefined {
  const [type, format] = mediaType.split('/');
  return type === 'image' && isFormat(format) ? format : undefined;
}
