import sharp from 'sharp';
import { expect, it, vi } from 'vitest';
import type * as Images from '../../../src/codecs/images.ts';
import { fewShot } from '../../../src/tasks/few-shot/serve.ts';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import { byName, manifest } from '../fixtures.ts';

const SIDE = 4;
const model: Manifest = {
  ...manifest('few-shot', 'few-shot', [1, 'S', 1, SIDE, SIDE]),
  inputs: [
    { name: 'support', dtype: 'float32', shape: [1, 'S', 1, SIDE, SIDE] },
    { name: 'labels', dtype: 'float32', shape: [1, 'S', 'K'] },
    { name: 'query', dtype: 'float32', shape: [1, 'Q', 1, SIDE, SIDE] },
  ],
  outputs: [{ name: 'logits', dtype: 'float32', shape: [1, 'Q', 'K'] }],
  limits: { S: 300, K: 10, Q: 300 },
};

const seen = vi.hoisted(() => ({
  decoded: 0,
  after: undefined as ((count: number) => void) | undefined,
}));
vi.mock('../../../src/codecs/images.ts', async (actual) => {
  const images = await actual<typeof Images>();
  const readSquare: typeof images.readSquare = async (...rest) => {
    seen.after?.(++seen.decoded);
    return images.readSquare(...rest);
  };
  return { ...images, readSquare };
});

it('stops decoding when the client leaves', async () => {
  const file = await sharp({
    create: { width: 64, height: 64, channels: 3, background: '#888' },
  })
    .png()
    .toBuffer();
  const controller = new AbortController();
  seen.after = (count) => {
    if (count === 20) controller.abort();
  };
  const support = Array.from({ length: 256 }, (_, i) => [
    { field: 'label', text: `class ${i % 2}` },
    { field: 'support', file },
  ]).flat();
  const work = fewShot.decode(
    {
      task: 'few-shot',
      contentType: 'multipart/form-data',
      body: new Uint8Array(),
      parts: [...support, { field: 'query', file }],
      stopping: {},
      options: {},
    },
    {
      models: byName(model),
      files: () => Promise.reject(new Error('none')),
      settings: { maxPixels: 10_000 },
      signal: controller.signal,
    },
  );
  await expect(work).rejects.toThrow();
  await new Promise((resolve) => setTimeout(resolve, 200));
  // Those that were being decoded at the time come to an end.
  expect(seen.decoded).toBeLessThan(40);
});
