/** The module that an engine's workers run: `worker.ts`, compiled. */
import { builtUrl } from '../util/built-url.ts';

export const workerEntry = builtUrl(new URL('./worker.ts', import.meta.url));
