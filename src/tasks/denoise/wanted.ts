/** What a request asks for besides the model and the stopping: query parameters and negotiation, checked before any compute. */
import Type from 'typebox';
import { colourFault } from '../../codecs/colour.ts';
import { formats, imageFormats, isFormat, type ImageFormat } from '../../codecs/formats.ts';
import type { Header } from '../../codecs/images.ts';
import { Problem } from '../../errors.ts';
import { answerType, JSON_TYPE } from '../common/media-types.ts';
import type { TaskRequest } from '../task.ts';

/** The query parameters of denoising. */
export const query = {
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
  strength: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 1,
      description:
        'How much of the noise found is removed; 0 gives the image back, 1 is the default.',
    }),
  ),
  quality: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 100,
      description: 'Quality of JPEG, WebP and AVIF. The default for a JPEG is close to its own.',
    }),
  ),
  metadata: Type.Optional(
    Type.Enum(['keep', 'strip'], {
      description:
        'strip removes everything but colour and resolution: EXIF with its place and time, XMP, IPTC, text.',
    }),
  ),
  background: Type.Optional(
    Type.String({
      pattern: '^[0-9a-fA-F]{6}$',
      description:
        'The colour behind transparent parts in formats without alpha, RRGGBB; ffffff, white, is the default.',
    }),
  ),
};

/** What to answer. */
export interface Wanted {
  /** A JSON answer, the image inside. */
  readonly json: boolean;
  readonly format: ImageFormat;
  /** A picture of the depths instead of the image. */
  readonly depthPicture: boolean;
  /** The depths as a grid, in JSON. */
  readonly depthMap: boolean;
  /** 0 to 1: the share of the noise found that is removed. */
  readonly strength: number;
  readonly quality?: number;
  readonly metadata: 'keep' | 'strip';
  readonly background?: string;
}

/** The format that the query asks for as a media type; nothing where it leaves the choice to the Accept header. */
export function wantedType({ format }: TaskRequest['options']): string | undefined {
  if (format === 'json') return JSON_TYPE;
  if (format === 'depth') return 'image/png';
  return typeof format === 'string' ? `image/${format}` : undefined;
}

/** @throws Problem where the parameters exclude each other, or the format cannot hold the image of this header */
export function wantedOf(request: TaskRequest, file: Uint8Array, header: Header): Wanted {
  const { format: own, width, height } = header;
  const { options, events } = request;
  const accept = answerType(request, `image/${own}`);
  const json = accept === JSON_TYPE || events !== undefined;
  if (events && options.format === 'depth')
    throw new Problem('bad-parameter', 'format=depth does not go with an event stream.');
  const format = formatOf(accept) ?? own;
  const depthMap = options.depth_map === true;
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
  const depthPicture = options.format === 'depth';
  const lost = depthPicture ? undefined : colourFault(file, header, format);
  if (lost !== undefined) throw new Problem('bad-parameter', lost);
  return {
    json,
    format,
    depthMap,
    depthPicture,
    strength: typeof options.strength === 'number' ? options.strength : 1,
    metadata: options.metadata === 'strip' ? 'strip' : 'keep',
    ...(typeof options.quality === 'number' && { quality: options.quality }),
    ...(typeof options.background === 'string' && { background: options.background }),
  };
}

/** `image/png` → png; nothing for JSON, whose image keeps the format it came in. */
function formatOf(mediaType: string): ImageFormat | undefined {
  const [type, format] = mediaType.split('/');
  return type === 'image' && isFormat(format) ? format : undefined;
}
