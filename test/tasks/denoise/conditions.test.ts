import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/data/random.ts';
import { drawCamera, takePhoto, type CameraSettings } from '../../../src/tasks/denoise/camera.ts';
import {
  correlated,
  gaussian,
  grain,
  jpegFile,
  savedAsJpeg,
  shared,
  type Noise,
} from '../../../src/tasks/denoise/conditions.ts';
import { grayAsRgb, noiseConditions } from '../../../scripts/paper/denoise/noise-conditions.ts';
import { throughJpeg } from '../../../src/tasks/denoise/jpeg.ts';
import { noiseLevel, planesOf } from '../../../src/tasks/denoise/planes.ts';
import {
  flat,
  isByte,
  isGray,
  isSame,
  madeUpPhoto,
  moments,
  neighbourCorrelation,
  noiseOf,
} from './images.ts';

const gray = flat(0.5, 3, 96);
const noiseFrom = (noise: Noise, image = gray) => {
  const { clean, noisy } = noise(image, new Random(1));
  return noiseOf(clean, noisy);
};

describe('noise', () => {
  it('is independent and of the given level where it is Gaussian', () => {
    const noise = noiseFrom(gaussian(20));
    expect(moments(noise.data).deviation).toBeCloseTo(20, 0);
    expect(Math.abs(neighbourCorrelation(noise))).toBeLessThan(0.03);
  });

  it('stays as it is where it is not rounded', () => {
    const { noisy } = gaussian(120, false)(gray, new Random(1));
    expect(noisy.data.some((value) => value > 1)).toBe(true);
    expect(noisy.data.every(isByte)).toBe(false);
  });

  it('is equal in all channels where it is shared', () => {
    const noise = noiseFrom(shared(20));
    expect(isGray(noise)).toBe(true);
    expect(isGray(noiseFrom(gaussian(20)))).toBe(false);
    expect(moments(noise.data).deviation).toBeCloseTo(20, 0);
  });

  it('keeps its level where it is correlated', () => {
    const noise = noiseFrom(correlated(20, 1));
    expect(moments(noise.data).deviation / 20).toBeCloseTo(1, 1);
    expect(neighbourCorrelation(noise)).toBeGreaterThan(0.5);
  });

  it('is strongest in mid-tones where it is film grain', () => {
    const film = grain({ sigma: 12, radius: 0.7, common: 0.8 });
    const level = (value: number): number =>
      moments(noiseFrom(film, flat(value, 3, 96)).data).deviation;
    expect(level(0.5) / 12).toBeCloseTo(1, 1);
    expect(level(0.1) / 12).toBeCloseTo(1 / 3 + (2 / 3) * 0.36, 1);
    expect(neighbourCorrelation(noiseFrom(film))).toBeGreaterThan(0.3);
  });

  it('is gray where a gray image is stored as RGB', () => {
    const { clean, noisy } = grayAsRgb(gaussian(25))(madeUpPhoto(2), new Random(1));
    expect(isGray(clean) && isGray(noisy)).toBe(true);
  });

  it.each(noiseConditions)('is of 8 bits and repeatable: $name', async ({ apply }) => {
    const image = madeUpPhoto(3, 3, 40, 36);
    const { clean, noisy } = await apply(image, new Random(7));
    expect(noisy.data.every(isByte) && clean.data.every(isByte)).toBe(true);
    expect(noisy.data).toHaveLength(image.data.length);
    expect(isSame((await apply(image, new Random(7))).noisy.data, noisy.data)).toBe(true);
  });
});

describe('the camera', () => {
  const settings: CameraSettings = {
    electrons: 500,
    readNoise: 2,
    gains: [2, 1.6],
    matrix: 0,
    demosaic: 'bilinear',
    phase: 0,
    lensBlur: 0,
    smoothing: 0,
    chromaSmoothing: 0,
    chromaLeft: 1,
  };
  const noise = (changes: Partial<CameraSettings> = {}, image = gray) => {
    const { clean, noisy } = takePhoto(image, { ...settings, ...changes }, new Random(2));
    return noiseOf(clean, noisy);
  };

  it('has correlated noise, whatever its settings', () => {
    const random = new Random(3);
    for (let i = 0; i < 25; i++) {
      const drawn = drawCamera(random);
      const { clean, noisy } = takePhoto(gray, drawn, random);
      const correlation = neighbourCorrelation(noiseOf(clean, noisy));
      expect(correlation, JSON.stringify(drawn)).toBeGreaterThan(0.2);
    }
  });

  it('has the variance of photons and read-out in linear light', () => {
    // Green is measured at half of the sites; bilinear averages of four have a quarter of the variance.
    const green = moments(planesOf(noise())[1]!).deviation;
    const light = ((gray.data[0]! + 0.055) / 1.055) ** 2.4;
    const slope = (1.055 / 2.4) * light ** (1 / 2.4 - 1);
    const variance = light / 500 + (2 / 500) ** 2;
    expect(green / (255 * slope * Math.sqrt(0.625 * variance))).toBeCloseTo(1, 1);
  });

  it('has more noise in red and blue, which are amplified, and less with more light or smoothing', () => {
    const [r, g, b] = planesOf(noise()).map((plane) => moments(plane).deviation);
    expect(r!).toBeGreaterThan(1.1 * g!);
    expect(b!).toBeGreaterThan(1.02 * g!);
    const level = (changes: Partial<CameraSettings>) => moments(noise(changes).data).deviation;
    expect(level({ electrons: 5000 })).toBeLessThan(0.4 * level({}));
    expect(level({ smoothing: 0.8 })).toBeLessThan(0.7 * level({}));
  });

  it('has blotchy chroma noise of the share that is left, and the same luminance noise', () => {
    const smooth = noise({ chromaSmoothing: 2.5, chromaLeft: 0.5 });
    const chroma = (of: typeof smooth) => {
      const [r, g, b] = planesOf(of) as [Float32Array, Float32Array, Float32Array];
      const luma = r.map((red, i) => 0.299 * red + 0.587 * g[i]! + 0.114 * b[i]!);
      return { luma, cr: r.map((red, i) => red - luma[i]!) };
    };
    const [before, after] = [chroma(noise()), chroma(smooth)];
    const level = (values: Float32Array) => moments(values).deviation;
    expect(level(after.cr) / level(before.cr)).toBeCloseTo(0.5, 1);
    expect(level(after.luma) / level(before.luma)).toBeCloseTo(1, 1);
    const { width, height } = gray;
    const correlation = neighbourCorrelation({ channels: 1, width, height, data: after.cr });
    expect(correlation).toBeGreaterThan(0.9);
  });

  it('keeps the image as the clean one, but for the blur of its lens', () => {
    const image = madeUpPhoto(4);
    expect(takePhoto(image, settings, new Random(1)).clean).toBe(image);
    const dark = { ...settings, electrons: 1e9, readNoise: 0 };
    for (const demosaic of ['bilinear', 'malvar'] as const) {
      const { clean, noisy } = takePhoto(image, { ...dark, demosaic, matrix: 1 }, new Random(1));
      expect(noiseLevel(clean.data, noisy.data)).toBeLessThan(0.3);
    }
    const { clean } = takePhoto(image, { ...settings, lensBlur: 0.8 }, new Random(1));
    expect(noiseLevel(image.data, clean.data)).toBeGreaterThan(1);
  });

  it('gives a gray photo of a gray image, and has every phase of the mosaic', () => {
    const { noisy } = takePhoto(flat(0.5, 1, 32), settings, new Random(1));
    expect(noisy.channels).toBe(1);
    const levels = [0, 1, 2, 3].map((phase) => moments(planesOf(noise({ phase }))[0]!).deviation);
    for (const level of levels) expect(level / levels[0]!).toBeCloseTo(1, 1);
    expect(new Set(levels).size).toBe(4);
  });
});

describe('JPEG', () => {
  it.each(['4:2:0', '4:4:4'] as const)('is written with chroma subsampling %s', async (chroma) => {
    const file = await jpegFile(madeUpPhoto(1), { quality: 80, chroma });
    const { format, chromaSubsampling } = await sharp(file).metadata();
    expect({ format, chromaSubsampling }).toEqual({ format: 'jpeg', chromaSubsampling: chroma });
  });

  it('keeps gray images gray', async () => {
    const options = { quality: 90, chroma: '4:2:0' } as const;
    expect((await savedAsJpeg(madeUpPhoto(1, 1), options)).channels).toBe(1);
  });

  it.each([
    [1, 60, '4:4:4'],
    [3, 60, '4:4:4'],
    [3, 60, '4:2:0'],
    [3, 90, '4:2:0'],
  ] as const)(
    'is imitated without a file: %i channel(s), quality %i, %s',
    async (channels, quality, chroma) => {
      const { noisy } = gaussian(15)(madeUpPhoto(5, channels, 85, 83), new Random(1));
      const file = await savedAsJpeg(noisy, { quality, chroma });
      const imitated = throughJpeg(noisy, { quality, chroma });
      const harm = noiseLevel(noisy.data, file.data);
      expect(harm).toBeGreaterThan(2);
      expect(noiseLevel(imitated.data, file.data)).toBeLessThan(0.13 * harm);
    },
  );
});
