/** The module that an engine's workers run: `worker.ts`, compiled. */
import { builtUrl } from '../util/built-url.ts';

/** URL of the compiled worker module in `dist`, also where this file runs from `src`. */
export const workerEntry = builtUrl(new URL('./worker.ts', import.meta.url));
