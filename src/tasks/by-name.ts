/** The served tasks by name: checks bundles and decodes requests by the task they name. */
import type { Manifest } from '../bundle/manifest.ts';
import type { DecodedRequest } from '../engine/types.ts';
import { Problem } from '../errors.ts';
import { openInferenceGrpc } from './open-inference/grpc-decoder.ts';
import { openInferenceRest } from './open-inference/rest.ts';
import * as registered from './serving.ts';
import type { Context, Task, TaskRequest } from './task.ts';

/** Every task that the service answers, one for each export of `serving.ts`. */
export const tasks: readonly Task[] = Object.values(registered);

/** What decodes requests: the tasks, and the protocols that serve the models of every task. */
const decoders: readonly Pick<Task, 'name' | 'decode'>[] = [
  ...tasks,
  openInferenceRest,
  openInferenceGrpc,
];

/** @throws a sentence where a bundle's task is unknown or the bundle does not fit it */
export async function checkTask(
  manifest: Manifest,
  read: (file: string) => Promise<Uint8Array>,
): Promise<void> {
  const task = tasks.find(({ name }) => name === manifest.task);
  if (!task)
    throw new Error(
      `${manifest.name} is for an unknown task ${manifest.task}; there are ${tasks.map(({ name }) => name).join(', ')}.`,
    );
  await task.check(manifest, read);
}

/** @throws Problem where the request is at fault */
export async function decodeRequest(
  request: TaskRequest,
  context: Context,
): Promise<DecodedRequest> {
  const decoder = decoders.find(({ name }) => name === request.task);
  if (!decoder) throw new Problem('not-found', `There is no task ${request.task}.`);
  return decoder.decode(request, context);
}
