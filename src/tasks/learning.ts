/** The tasks that models are trained and measured for, one line each. */
export { denoise } from './denoise/recipe.ts';
export { fewShot } from './few-shot/recipe.ts';
export { recognize } from './recognize/recipe.ts';
export { sparseRecovery } from './sparse-recovery/recipe.ts';
