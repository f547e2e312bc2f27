/** What an answer takes over from the file it is made of, and what it must not. */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { formats, type ImageFormat } from '../../src/codecs/formats.ts';
import { decodeImage, encodeImage, type DecodedImage } from '../../src/codecs/images.ts';
import {
  chunk,
  pngChunks,
  tiffOf,
  withPngChunks,
  withSegment,
  withWebpChunk,
  type Entry,
} from './metadata-files.ts';

const MOST = 1e6;
const [width, height] = [24, 16];
const pixels = Float32Array.from({ length: 3 * width * height }, (_, i) => ((i * 7) % 251) / 255);
const picture: DecodedImage = {
  ...{ width, height, channels: 3, bits: 8, data: pixels, format: 'png' },
  ...{ alpha: undefined, source: undefined },
};

const thumbnail = Buffer.from('\xff\xd8THUMBNAIL\xff\xd9', 'latin1');
const first: Entry[] = [
  [274, 3, [6]],
  [315, 2, 'Jane Doe'],
  [282, 5, [300, 1]],
  [283, 5, [300, 1]],
  [296, 3, [2]],
];
const exif = tiffOf('MM', first, {
  data: thumbnail,
  children: { 34_665: [[36_867, 2, '2024:05:06 07:08:09']], 34_853: [[1, 2, 'N']] },
  second: [
    [259, 3, [6]],
    [513, 4, [8]],
    [514, 4, [thumbnail.length]],
  ],
});
const jpegExif = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), exif]);

const xmp =
  Buffer.from(`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:GCamera="http://ns.google.com/photos/1.0/camera/"
 xmlns:Container="http://ns.google.com/photos/1.0/container/" xmlns:Item="http://ns.google.com/photos/1.0/container/item/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" tiff:Orientation="6" GCamera:MotionPhoto='1' xmp:Rating="4">
 <GCamera:MicroVideoOffset>2336</GCamera:MicroVideoOffset><tiff:Orientation>6</tiff:Orientation>
 <Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="MotionPhoto"/></rdf:li></rdf:Seq></Container:Directory>
 <xmp:Label>Tower</xmp:Label></rdf:Description></rdf:RDF></x:xmpmeta>`);

async function sourceIn(format: ImageFormat, kind: 'exif' | 'xmp'): Promise<Buffer> {
  const plain = await encodeImage(picture, format);
  const data = kind === 'exif' ? exif : xmp;
  const text = Buffer.concat([Buffer.from('http://ns.adobe.com/xap/1.0/\0'), xmp]);
  if (format === 'png')
    return withPngChunks(
      plain,
      kind === 'exif'
        ? chunk('eXIf', exif)
        : chunk('iTXt', `XML:com.adobe.xmp\0\0\0\0\0${xmp.toString('latin1')}`),
    );
  if (format === 'webp')
    return withWebpChunk(
      plain,
      kind === 'exif' ? 'EXIF' : 'XMP ',
      kind === 'exif' ? 8 : 4,
      data,
      width,
      height,
    );
  return withSegment(plain, 0xe1, kind === 'exif' ? jpegExif : text);
}

describe.each(['png', 'jpeg', 'webp'] as const)('from %s', (own) => {
  it.each(formats)('EXIF goes to %s without thumbnail and orientation', async (format) => {
    const image = await decodeImage(await sourceIn(own, 'exif'), MOST);
    expect([image.width, image.height]).toEqual([height, width]);
    const answer = Buffer.from(await encodeImage(image, format));
    const back = await sharp(answer).metadata();
    expect([back.width, back.height, back.orientation ?? 1]).toEqual([height, width, 1]);
    const kept = format === 'tiff' ? answer : back.exif!;
    for (const text of ['Jane Doe', '2024:05:06 07:08:09']) expect(kept.includes(text)).toBe(true);
    expect(answer.includes('THUMBNAIL')).toBe(false);
    const stripped = Buffer.from(await encodeImage(image, format, { metadata: 'strip' }));
    expect((await sharp(stripped).metadata()).exif).toBeUndefined();
    expect(stripped.includes('Jane Doe')).toBe(false);
  });

  it.each(formats)('XMP goes to %s without orientation and claims of a video', async (format) => {
    const image = await decodeImage(await sourceIn(own, 'xmp'), MOST);
    const { xmpAsString: kept } = await sharp(await encodeImage(image, format)).metadata();
    expect(kept).toContain('<xmp:Label>Tower</xmp:Label>');
    expect(kept).toContain('xmp:Rating="4"');
    expect(kept).not.toMatch(/Orientation|MotionPhoto|MicroVideo|Directory/);
    const stripped = await encodeImage(image, format, { metadata: 'strip' });
    expect((await sharp(stripped).metadata()).xmp).toBeUndefined();
  });
});

describe('JPEG', () => {
  const resource = (id: number, text: string): Buffer => {
    const head = Buffer.from('8BIM\0\0\0\0\0\0\0\0', 'latin1');
    head.writeUInt16BE(id, 4);
    head.writeUInt32BE(text.length, 8);
    return Buffer.concat([head, Buffer.from(text.padEnd(text.length + (text.length % 2), '\0'))]);
  };

  it('keeps IPTC but not the thumbnail beside it', async () => {
    const content = Buffer.concat([
      Buffer.from('Photoshop 3.0\0', 'latin1'),
      resource(1036, 'a thumbnail'),
      resource(1028, '\x1c\x02\x19\0\x05paris'),
    ]);
    const file = withSegment(await encodeImage(picture, 'jpeg'), 0xed, content);
    const image = await decodeImage(file, MOST);
    const { iptc } = await sharp(await encodeImage(image, 'jpeg')).metadata();
    expect(iptc?.includes('paris')).toBe(true);
    expect(iptc?.includes('thumbnail')).toBe(false);
    const tiff = await sharp(await encodeImage(image, 'tiff')).metadata();
    expect(tiff.iptc?.includes('paris')).toBe(true);
    const stripped = await encodeImage(image, 'jpeg', { metadata: 'strip' });
    expect((await sharp(stripped).metadata()).iptc).toBeUndefined();
  });

  it.each(['png', 'jpeg', 'tiff'] as const)(
    'its resolution stays in %s, stripped or not',
    async (format) => {
      const file = await sharp(await encodeImage(picture, 'png'))
        .withDensity(300)
        .jpeg()
        .toBuffer();
      const image = await decodeImage(file, MOST);
      for (const metadata of ['keep', 'strip'] as const) {
        const answer = await sharp(await encodeImage(image, format, { metadata })).metadata();
        expect(answer.density).toBe(300);
      }
    },
  );
});

describe('PNG to PNG', () => {
  const own = [
    chunk('gAMA', Buffer.of(0, 0, 0xd9, 0x03)),
    chunk('cICP', Buffer.of(9, 16, 0, 1)),
    chunk('cHRM', Buffer.alloc(32, 7)),
    chunk('pHYs', Buffer.of(0, 0, 1, 0, 0, 0, 1, 0, 1)),
  ];
  const told = [
    chunk('tIME', Buffer.of(7, 0xe8, 1, 2, 3, 4, 5)),
    chunk('tEXt', 'Title\0one'),
    chunk('tEXt', 'Title\0two'),
    chunk('zTXt', 'a\0\0x\x9c\x03\0\0\0\0\x01'),
    chunk('iTXt', 'parameters\0\0\0\0\0steps: 20'),
    chunk('eXIf', exif),
  ];
  const typesOf = (png: Uint8Array): string[] =>
    pngChunks(png)
      .map(([type]) => type)
      .filter((type) => !['IHDR', 'IDAT', 'IEND'].includes(type))
      .sort();
  const answerTo = async (
    chunks: readonly Buffer[],
    metadata: 'keep' | 'strip',
  ): Promise<Uint8Array> => {
    const image = await decodeImage(
      withPngChunks(await encodeImage(picture, 'png'), ...chunks),
      MOST,
    );
    return encodeImage(image, 'png', { metadata });
  };

  it('keeps chunks of colour, resolution, date and text, each once', async () => {
    const answer = await answerTo([...own, ...told], 'keep');
    expect(typesOf(answer)).toEqual([
      ...['cHRM', 'cICP', 'eXIf', 'gAMA', 'iTXt', 'pHYs'],
      ...['tEXt', 'tEXt', 'tIME', 'zTXt'],
    ]);
    const contents = pngChunks(answer).map(([, content]) => content);
    for (const text of ['Title\0one', 'Title\0two', 'parameters\0\0\0\0\0steps: 20'])
      expect(contents).toContain(text);
    expect((await decodeImage(answer, MOST)).width).toBe(height);
  });

  it('strips all but colour and resolution', async () => {
    expect(typesOf(await answerTo([...own, ...told], 'strip'))).toEqual([
      'cHRM',
      'cICP',
      'gAMA',
      'pHYs',
    ]);
  });

  it('drops what is damaged or there twice', async () => {
    const wrong = chunk('tEXt', 'Title\0wrong sum');
    wrong[wrong.length - 1]! ^= 1;
    const twice = chunk('pHYs', Buffer.alloc(9));
    const short = chunk('cICP', Buffer.of(9, 16));
    const answer = await answerTo(
      [own[3]!, twice, short, wrong, chunk('eXIf', 'MM\0*\xff\xff\xff\xff')],
      'keep',
    );
    expect(pngChunks(answer).filter(([type]) => !/^I/.test(type))).toEqual([
      ['pHYs', '\0\0\x01\0\0\0\x01\0\x01'],
    ]);
  });
});
