/** Every task the service answers, by the last part of its path. */
import type { TaskDecoder } from '../engine/types.ts';
import { denoise, type ImageLimits } from './denoise.ts';
import { fewShot } from './few-shot.ts';
import { recognize } from './recognize.ts';
import { recover } from './recover.ts';

export type TaskSettings = ImageLimits;

export const taskDecoders = (settings: TaskSettings): Record<string, TaskDecoder> => ({
  denoise: denoise(settings),
  'few-shot': fewShot(settings),
  recognize: recognize(settings),
  recover,
});
