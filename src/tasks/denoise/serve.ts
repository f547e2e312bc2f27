/** Denoising: an image in, the same image without its noise out, in the format it came in or the one asked for. */
import { channelsOf, type Manifest } from '../../bundle/manifest.ts';
import { multipleOf } from '../../bundle/shape.ts';
import {
  channelsOf as planesOf,
  decodeWith,
  decodingBytes,
  readHeader,
  type Header,
} from '../../codecs/images.ts';
import { Problem } from '../../errors.ts';
import { at } from '../../util/at.ts';
import { checkPorts } from '../common/check.ts';
import { chooseModel } from '../common/choose-model.ts';
import { exitsOf } from '../common/exits.ts';
import {
  Base64,
  Bytes,
  imageBodies,
  imageForm,
  imageOf,
  imageTypes,
  JSON_TYPE,
} from '../common/media-types.ts';
import type { Context, Task, TaskRequest } from '../task.ts';
import {
  Answer,
  Denoised,
  encodeDepths,
  encodeImageAt,
  encodeImages,
  imageNoiseLevel,
  type Sent,
} from './answer.ts';
import { fillHidden } from './hidden.ts';
import { withoutColour } from './planes.ts';
import { cutTiles, defaultTiles, layTiles } from './tiles.ts';
import { query, wantedOf, wantedType } from './wanted.ts';

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
  exits: Base64('The image file at the exit in base64; only of an image that is one tile.'),
  headers: { 'x-noise-level': 'The noise found in the image: its standard deviation, of 255.' },
  form: imageForm,
  query,
  wanted: wantedType,
  check: (manifest) => checkPorts(manifest, { inputs: { image: 4 }, outputs: { denoised: 4 } }),

  async decode(request, context) {
    const { models, settings } = context;
    const file = imageOf(request);
    const header = await readHeader(file, settings.maxPixels);
    const wanted = wantedOf(request, file, header);
    await admitted(header, request, context);
    // Once the tiles are cut nothing may hold on to the image's own pixels: no closure below sees them.
    const { data, ...frame } = await decodeWith(file, header);
    if (frame.alpha) fillHidden({ ...frame, data }, frame.alpha);
    const gray = withoutColour({ ...frame, data });
    const takes = (channels: number): boolean =>
      fittingModels(models, request.model, channels).length > 0;
    const picture = gray && takes(1) ? gray : { ...frame, data };
    const manifest = chooseDenoiser(models, request.model, picture.channels);
    const { name, shape } = at(manifest.inputs, 0);
    const multiple = Math.max(multipleOf(at(shape, 2)), multipleOf(at(shape, 3)));
    const tiles = layTiles(frame.width, frame.height, { ...defaultTiles, multiple });
    const cut = cutTiles(picture, tiles, multiple);
    const before = wanted.strength < 1 && { before: cut };
    const sent: Sent = { frame, file, channels: picture.channels, tiles, ...before };
    const image = new Denoised(sent, wanted);
    return {
      model: manifest.name,
      samples: cut.map((tile) => ({ [name]: tile })),
      stopping: request.stopping,
      imageStatistic: imageNoiseLevel,
      ...exitsOf(
        request,
        // An image of several tiles has no state between exits: they are at different ones.
        tiles.length > 1
          ? undefined
          : ({ depth }, outputs) => encodeImageAt({ depth, outputs }, sent, wanted),
      ),
      collect: (index, result) => image.add(index, result),
      encode: (result) =>
        wanted.depthPicture
          ? encodeDepths(result, sent)
          : encodeImages(result, image, sent, wanted),
    };
  },
};

/** Waits until there is room for the image's pixels and for its compute. @throws Problem where there will be none */
async function admitted(
  header: Header,
  { model, stopping }: TaskRequest,
  { models, admit }: Context,
): Promise<void> {
  const { width, height } = header;
  // Whether a colour file is gray is known after decoding: a gray model that is asked for may be meant for it.
  const channels = fittingModels(models, model, 1).length > 0 && model ? 1 : planesOf(header);
  await admit?.({
    bytes: denoisingBytes(header),
    work: {
      model: chooseDenoiser(models, model, channels).name,
      samples: layTiles(width, height, { ...defaultTiles, multiple: 1 }).length,
      elements: width * height * channels,
      stopping,
    },
  });
}

/** Memory of a request, bytes: decoding, then tiles and results, then the joined image and its pixels. */
function denoisingBytes(header: Header): number {
  const { width, height } = header;
  const plane = Float32Array.BYTES_PER_ELEMENT * width * height;
  return decodingBytes(header) + planesOf(header) * plane;
}

/** The models that a request may mean and that take images of these channels. */
const fittingModels = (
  models: ReadonlyMap<string, Manifest>,
  name: string | undefined,
  channels: number,
): Manifest[] =>
  [...models.values()].filter(
    (model) =>
      model.task === 'denoise' &&
      channelsOf(model) === channels &&
      (name === undefined ? model.default : model.name === name),
  );

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
