/** The recipes of all tasks. */
import type { TaskName } from '../bundle/manifest.ts';
import type { CalibrationRecipe, Recipe } from '../training/recipe.ts';
import * as registered from './learning.ts';
import { tensor } from './tensor/calibration.ts';

/** The recipe of every trainable task, one for each export of `learning.ts`. */
export const recipes: readonly Recipe[] = Object.values(registered);

/** What `calibrate` knows: the recipes, and networks that were trained elsewhere. */
export const calibrationRecipes: readonly CalibrationRecipe[] = [...recipes, tensor];

/** @throws Error where no model of the task can be trained */
export function recipeFor(task: TaskName): Recipe {
  const recipe = recipes.find((one) => one.task === task);
  if (!recipe) throw new Error(`There is no recipe for ${task}.`);
  return recipe;
}
