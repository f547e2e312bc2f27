/** `npm run reproduce` in this process. */
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { vi } from 'vitest';
import { reproduce } from '../../../scripts/paper/reproduce.ts';

/**
 * What the command prints for these arguments, with the bundles of a folder.
 * @throws what the command throws
 */
export async function reproduceWith(modelsDir: string, ...args: string[]): Promise<string> {
  vi.stubEnv('MODELS_DIR', modelsDir);
  const log = vi.spyOn(console, 'log').mockReturnValue(undefined);
  const error = vi.spyOn(console, 'error').mockReturnValue(undefined);
  try {
    await reproduce(args);
    return log.mock.calls.map(([text]) => `${text}\n`).join('');
  } finally {
    log.mockRestore();
    error.mockRestore();
    vi.unstubAllEnvs();
  }
}

/** A folder with a folder of `count` noisy images, 10×10, for each class. */
export async function classFolders(classes: readonly string[], count: number): Promise<string> {
  const place = await mkdtemp(join(tmpdir(), 'stopwise-classes-'));
  for (const [k, name] of classes.entries()) {
    await mkdir(join(place, name));
    const noise = { type: 'gaussian', mean: 40 * k + 20, sigma: 10 } as const;
    for (let i = 0; i < count; i++) {
      const create = { width: 10, height: 10, channels: 3, background: '#888', noise } as const;
      await sharp({ create }).toFile(join(place, name, `${i}.png`));
    }
  }
  return place;
}
