/** The tasks that the service answers, one line each. */
export { denoise } from './denoise/serve.ts';
export { fewShot } from './few-shot/serve.ts';
export { recognize } from './recognize/serve.ts';
export { sparseRecovery } from './sparse-recovery/serve.ts';
export { tensor } from './tensor/serve.ts';
