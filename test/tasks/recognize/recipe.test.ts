import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Manifest } from '../../../src/bundle/manifest.ts';
import { recognize } from '../../../src/tasks/learning.ts';
import { ConfigFile } from '../../../src/training/config.ts';
import type { Condition } from '../../../src/evaluation/data.ts';

let place: string;
beforeAll(async () => void (place = await mkdtemp(join(tmpdir(), 'plan-'))));
afterAll(() => rm(place, { recursive: true }));

/** Two classes of so many images, each of another gray; what is measured on and what is calibrated on, by their grays. */
async function split(perClass: number): Promise<{ measured: number[]; calibrated: number[] }> {
  const data = join(place, String(perClass));
  for (const [k, name] of ['one', 'two'].entries()) {
    await mkdir(join(data, name), { recursive: true });
    for (let i = 0; i < perClass; i++) {
      const pixels = new Uint8Array(64).fill(k * perClass + i);
      await sharp(pixels, { raw: { width: 8, height: 8, channels: 1 } }).toFile(
        join(data, name, `${i}.png`),
      );
    }
  }
  const flags = { data, channels: '1' };
  const { test } = await recognize.plan(flags, await ConfigFile.read(undefined));
  const manifest = { inputs: [{ name: 'image' }] } as unknown as Manifest;
  const grays = (conditions: Condition[]): number[] =>
    conditions[0]!.cases.map(({ sample }) => Math.round(255 * sample.image!.data[0]!));
  return {
    measured: grays(test.conditions(manifest, 0)),
    calibrated: grays(test.calibration!(manifest)),
  };
}

it('calibrates on one half of what is held out of everybody’s training, and measures on the other', async () => {
  const { measured, calibrated } = await split(40);
  // A tenth of 80 images; the policy's own would be two.
  expect([measured.length, calibrated.length]).toEqual([4, 4]);
  expect(new Set([...measured, ...calibrated]).size).toBe(8);
});

it('calibrates on the policy’s own images where one of each class is all that is held out', async () => {
  const { measured, calibrated } = await split(10);
  expect([measured.length, calibrated.length]).toEqual([2, 2]);
  expect(new Set([...measured, ...calibrated]).size).toBe(4);
});
