/** Metadata that lies or is large: it is dropped in a time that follows its size, and the picture is answered. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codePointsOf } from '../../src/codecs/avif.ts';
import { trueTags } from '../../src/codecs/exif.ts';
import { formats } from '../../src/codecs/formats.ts';
import { grayInSrgb } from '../../src/codecs/gray-profile.ts';
import { decodeImage, encodeImage, type DecodedImage } from '../../src/codecs/images.ts';
import { keptResources } from '../../src/codecs/photoshop.ts';
import { chunksOf } from '../../src/codecs/png.ts';
import { cleanXmp } from '../../src/codecs/xmp.ts';
import { chunk, tiffOf, withPngChunks } from './metadata-files.ts';

const MOST = 1e6;
const picture: DecodedImage = {
  ...{ width: 4, height: 4, channels: 3, bits: 8, data: new Float32Array(48), format: 'png' },
  ...{ alpha: undefined, source: undefined },
};

/** Milliseconds of CPU time. Parsers that go back and forth in megabytes take minutes. */
const LONGEST = 1500;
const MEGABYTE = 1e6;

function timed<T>(work: () => T): T {
  const started = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(started);
  expect((user + system) / 1000).toBeLessThan(LONGEST);
  return result;
}

describe('time follows size', () => {
  it.each([
    '<a:Orientation ',
    '<a:MotionPhoto>',
    '<a:Directory/>',
    ' a:MicroVideo="',
    " a:MotionPhoto='1'",
    'a.',
    ' ',
    '<',
    '"',
  ])('in XMP of %j', (part) => {
    const packet = Buffer.alloc(MEGABYTE, part);
    const cleaned = timed(() => cleanXmp(packet));
    expect(cleaned?.toString('latin1') ?? '').not.toMatch(/MotionPhoto>|Directory\/>/);
  });

  it('in chunks of PNG, of which a thousand are looked at', () => {
    const file = Buffer.concat([Buffer.alloc(8), Buffer.alloc(20 * MEGABYTE, chunk('tEXt', ''))]);
    expect(timed(() => chunksOf(file))).toHaveLength(1000);
  });

  it('in boxes of AVIF', () => {
    const box = Buffer.from('\0\0\0\x08free', 'latin1');
    const file = Buffer.alloc(20 * MEGABYTE, box);
    expect(timed(() => codePointsOf(file))).toBeUndefined();
  });

  it('in resources of Photoshop', () => {
    const resource = Buffer.from('8BIM\x04\x04\0\0\0\0\0\0', 'latin1');
    const block = Buffer.alloc(20 * MEGABYTE, resource);
    expect(timed(() => keptResources(block))).toHaveLength(1000 * resource.length);
  });
});

describe('damage', () => {
  const exif = tiffOf('MM', [[315, 2, 'Jane Doe']], {
    children: { 34_665: [[36_867, 2, '2024']], 34_853: [[1, 2, 'N']] },
  });

  it('no parser throws, whatever the bytes are', () => {
    const parsers = [
      chunksOf,
      codePointsOf,
      keptResources,
      cleanXmp,
      (bytes: Buffer) => trueTags(bytes, 'keep'),
      (bytes: Buffer) => grayInSrgb(Float32Array.of(0.5), bytes),
    ];
    const seeds = [
      '8BIM\x04\x04\0\0',
      '\0\0\0\x20meta\0\0\0\0\0\0\0\x0epitm',
      'Exif\0\0MM\0*\0\0\0\x08',
    ];
    const bytes = fc
      .tuple(fc.constantFrom('', ...seeds), fc.uint8Array({ maxLength: 400 }))
      .map(([seed, rest]) => Buffer.concat([Buffer.from(seed, 'latin1'), rest]));
    fc.assert(
      fc.property(bytes, (file) => {
        for (const parse of parsers) parse(file);
      }),
      { numRuns: 300 },
    );
  });

  it('an EXIF block with any byte changed or cut anywhere is read as far as it goes', () => {
    for (let at = 0; at < exif.length; at++) {
      const damaged = Buffer.from(exif);
      damaged[at]! ^= 0xff;
      expect(() => trueTags(damaged, 'keep')).not.toThrow();
      expect(() => trueTags(exif.subarray(0, at), 'keep')).not.toThrow();
    }
    expect(trueTags(exif, 'keep')?.fields).toHaveLength(1);
  });

  it.each(formats)('never makes an answer in %s fail', async (format) => {
    const file = withPngChunks(
      await encodeImage(picture, 'png'),
      chunk('iCCP', 'icc\0\0no deflate'),
      chunk('eXIf', 'MM\0*\0\0\0\x08\xff\xff'),
      chunk('iTXt', 'XML:com.adobe.xmp\0\0\0\0\0<a:Directory>'),
      chunk('pHYs', '\0'),
      chunk('tIME', ''),
    );
    const image = await decodeImage(file, MOST);
    const answer = await decodeImage(await encodeImage(image, format), MOST);
    expect([answer.width, answer.height]).toEqual([4, 4]);
  });
});
