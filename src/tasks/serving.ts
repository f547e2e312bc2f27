/** Every task the service answers, by the last part of its path. */
import type { TaskDecoder } from '../engine/types.ts';
import { denoise, type ImageLimits } from './denoise/serve.ts';
import { fewShot } from './few-shot/serve.ts';
import { recognize } from './recognize/serve.ts';
import { recover } from './sparse-recovery/serve.ts';

export type TaskSettings = ImageLimits;

export const taskDecoders = (settings: TaskSettings): Record<string, TaskDecoder> => ({
  denoise: denoise(settings),
  'few-shot': fewShot(settings),
  recognize: recognize(settings),
  recover,
});
