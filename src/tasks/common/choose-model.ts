import type { Manifest, TaskName } from '../../bundle/manifest.ts';
import { Problem, shortened } from '../../errors.ts';

/**
 * The model a request means: by name, else the task's default, else its only one.
 * @param fits where several defaults exist, the one that fits the input
 */
export function chooseModel(
  models: ReadonlyMap<string, Manifest>,
  task: TaskName,
  name: string | undefined,
  fits: (manifest: Manifest) => boolean = () => true,
): Manifest {
  if (name !== undefined) {
    const named = models.get(name);
    if (!named)
      throw new Problem(
        'unknown-model',
        `There is no model ${shortened(name)}; for this task there are ${namesOf(models, task)}.`,
      );
    if (named.task !== task)
      throw new Problem(
        'wrong-task',
        `${name} is a model for ${named.task}; for this task there are ${namesOf(models, task)}.`,
      );
    return named;
  }
  const fitting = [...models.values()].filter(
    (manifest) => manifest.task === task && fits(manifest),
  );
  const chosen =
    fitting.find((manifest) => manifest.default) ?? (fitting.length === 1 ? fitting[0] : undefined);
  if (!chosen)
    throw new Problem(
      'unknown-model',
      `No model is the default for this input; name one of ${namesOf(models, task)} as model.`,
    );
  return chosen;
}

function namesOf(models: ReadonlyMap<string, Manifest>, task: TaskName): string {
  return (
    [...models.values()]
      .filter((manifest) => manifest.task === task)
      .map(({ name }) => name)
      .join(', ') || 'none'
  );
}
