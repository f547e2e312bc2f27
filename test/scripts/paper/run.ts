/** `npm run reproduce` in this process. */
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
