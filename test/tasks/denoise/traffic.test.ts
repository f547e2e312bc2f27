import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../../src/data/random.ts';
import { planesOf } from '../../../src/tasks/denoise/planes.ts';
import {
  denoiseTraffic,
  kinds,
  type Kind,
  type KindName,
  type TrafficOptions,
  type TrafficRequest,
} from '../../../src/tasks/denoise/traffic.ts';
import { isByte, isGray, isSame, madeUpPhoto, madeUpPhotos } from './images.ts';

const photographs = madeUpPhotos(38, 60, 56);
const traffic = denoiseTraffic({ photographs, part: 'training', seed: 1 });
const DRAWS = 40 * 20;

/** What the traffic is defined to be. */
const WEIGHTS: Readonly<Record<KindName, number>> = {
  clean: 0.2,
  gaussian: 0.35,
  shared: 0.1,
  camera: 0.15,
  jpeg: 0.1,
  grain: 0.05,
  drawing: 0.05,
};

describe('denoising traffic', () => {
  let requests: TrafficRequest[];
  beforeAll(async () => {
    requests = [];
    for (let i = 0; i < DRAWS; i++) requests.push(await traffic.draw(i));
  });
  const of = (kind: KindName): TrafficRequest[] =>
    requests.filter((request) => request.kind === kind);
  const range = (kind: KindName): [number, number] => {
    const levels = of(kind).map(({ sigma }) => sigma);
    return [Math.min(...levels), Math.max(...levels)];
  };

  it('is mixed by weight', () => {
    const bound = (weight: number): number => 3.5 * Math.sqrt((weight * (1 - weight)) / DRAWS);
    for (const [kind, weight] of Object.entries(WEIGHTS) as [KindName, number][])
      expect(Math.abs(of(kind).length / DRAWS - weight), kind).toBeLessThan(bound(weight));
    expect(kinds.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1);
  });

  it('holds the noise levels of each kind', () => {
    expect(of('clean').filter(({ sigma }) => sigma === 0).length).toBeGreaterThan(
      0.4 * of('clean').length,
    );
    expect(range('clean')[1]).toBeLessThan(2.2);
    const [low, high] = range('gaussian');
    expect(low).toBeLessThan(2.6);
    expect(high).toBeGreaterThan(50);
    const below = of('gaussian').filter(({ sigma }) => sigma < 12).length / of('gaussian').length;
    expect(below).toBeCloseTo(Math.log(6) / Math.log(37.5), 0.9);
    expect(range('camera')[0]).toBeGreaterThan(0.5);
    expect(range('camera')[1]).toBeLessThan(45);
    expect(range('drawing')).toEqual([0, 0]);
  });

  it('holds 8-bit values of equal shape, and gives the level of the noise', () => {
    for (const { clean, noisy, sigma } of requests) {
      expect(noisy).toMatchObject({
        channels: clean.channels,
        width: clean.width,
        height: clean.height,
      });
      expect(clean.data.every(isByte) && noisy.data.every(isByte)).toBe(true);
      const squares = noisy.data.reduce((sum, value, i) => sum + (value - clean.data[i]!) ** 2, 0);
      expect(sigma).toBeCloseTo(255 * Math.sqrt(squares / noisy.data.length), 2);
    }
  });

  it('has a tenth of the photographs in gray, half of them stored as RGB', () => {
    const photos = requests.filter(({ kind }) => kind !== 'drawing');
    const share = (form: string): number =>
      photos.filter((request) => request.form === form).length / photos.length;
    expect(share('gray')).toBeCloseTo(0.05, 1.3);
    expect(share('gray as RGB')).toBeCloseTo(0.05, 1.3);
    for (const { form, kind, clean, noisy } of photos) {
      expect(clean.channels).toBe(form === 'gray' ? 1 : 3);
      if (form !== 'gray as RGB') continue;
      expect(isGray(clean)).toBe(true);
      if (kind !== 'jpeg') expect(isGray(noisy)).toBe(true);
    }
  });

  it('has the same noise in all channels where it is shared, and not where it is not', () => {
    const difference = ({ clean, noisy }: TrafficRequest): number => {
      const [r, , b] = planesOf({ ...noisy, data: noisy.data.map((v, i) => v - clean.data[i]!) });
      return r!.reduce((sum, value, i) => sum + Math.abs(value - b![i]!), 0) / r!.length;
    };
    const coloured = (kind: KindName): TrafficRequest[] =>
      of(kind).filter(({ form, sigma }) => form === 'colour' && sigma > 2 && sigma < 20);
    for (const request of coloured('shared')) expect(difference(request)).toBeLessThan(1 / 255);
    for (const request of coloured('gaussian'))
      expect(difference(request)).toBeGreaterThan(1 / 255);
  });

  it('takes source i mod n for request i, drawings among them', () => {
    expect(traffic.sources).toBe(40);
    const sources = requests.map(({ source }) => source);
    expect(new Set(sources.slice(0, 40)).size).toBe(40);
    expect(sources.slice(40, 80)).toEqual(sources.slice(0, 40));
    expect(sources.slice(0, 40).filter((name) => name.startsWith('drawing'))).toHaveLength(2);
    const [first, second] = of('drawing').filter(({ source }) => source === 'drawing 0');
    expect(isSame(first!.clean.data, second!.clean.data)).toBe(false);
  });

  it('depends on part, seed and number alone', async () => {
    const again = denoiseTraffic({ photographs, part: 'training', seed: 1 });
    for (const i of [317, 5, 44]) {
      const { noisy, clean, ...rest } = await again.draw(i);
      const { noisy: before, clean: cleanBefore, ...restBefore } = requests[i]!;
      expect(isSame(noisy.data, before.data) && isSame(clean.data, cleanBefore.data)).toBe(true);
      expect(rest).toEqual(restBefore);
    }
    const levels = async (changes: Partial<TrafficOptions>): Promise<number[]> => {
      const other = denoiseTraffic({ photographs, part: 'training', seed: 1, ...changes });
      return Promise.all([0, 1, 2, 3, 4, 5].map(async (i) => (await other.draw(i)).sigma));
    };
    const plain = requests.slice(0, 6).map(({ sigma }) => sigma);
    expect(await levels({})).toEqual(plain);
    expect(await levels({ seed: 2 })).not.toEqual(plain);
    expect(await levels({ part: 'certification' })).not.toEqual(plain);
  });

  it.each([1, 3] as const)('has files of %i channel(s) alone where asked', async (channels) => {
    const only = denoiseTraffic({ photographs, part: 'test', seed: 3, channels });
    for (let i = 0; i < 40; i++) expect((await only.draw(i)).noisy.channels).toBe(channels);
  });
});

describe('JPEG in the traffic', () => {
  it('has quality 60 to 95 and either subsampling, after any other noise of photographs', () => {
    const jpeg: Kind = kinds.find(({ name }) => name === 'jpeg')!;
    const random = new Random(5);
    const image = madeUpPhoto(1, 3, 16, 16);
    const drawn = Array.from({ length: 300 }, () => jpeg.draw(image, random, [2, 75]));
    const qualities = drawn.map((request) => request.jpeg!.quality);
    expect([Math.min(...qualities), Math.max(...qualities)]).toEqual([60, 95]);
    const half = drawn.filter((request) => request.jpeg!.chroma === '4:2:0').length;
    expect(half / 300).toBeCloseTo(0.5, 1);
    const untouched = drawn.filter(({ noisy }) => isSame(noisy.data, image.data));
    expect(untouched.length).toBeGreaterThan(20);
    expect(untouched.length).toBeLessThan(80);
  });
});
