/** The recipes of all tasks. */
import type { TaskName } from '../bundle/manifest.ts';
import type { Recipe } from '../training/recipe.ts';
import * as registered from './learning.ts';

/** The recipe of every trainable task, one for each export of `learning.ts`. */
export const recipes: readonly Recipe[] = Object.values(registered);

/** @throws Error where no model of the task can be trained */
export function recipeFor(task: TaskName): Recipe {
  const recipe = recipes.find((one) => one.task === task);
  if (!recipe) throw new Error(`There is no recipe for ${task}.`);
  return recipe;
}
