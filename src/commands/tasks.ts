/** What the commands share: the recipes by task, their flags and usage, and where files lie. */
import {
  parseFlags,
  usageOf,
  type Flags,
  type FlagsOf,
  type FlagTable,
} from '../training/flags.ts';
import type { Recipe } from '../training/recipe.ts';
import type { TaskName } from '../bundle/manifest.ts';
import { calibrationRecipes, recipes } from '../tasks/recipes.ts';

/** Where bundles and training checkpoints lie; each has a folder of its own below. */
export interface Folders {
  readonly models: string;
  readonly checkpoints: string;
}

/** `MODELS_DIR` (default `models`) and `checkpoints`, relative to the working directory. */
export const usualFolders = (): Folders => ({
  models: process.env.MODELS_DIR ?? 'models',
  checkpoints: 'checkpoints',
});

/** A command's flags: those of all tasks, and where each recipe has its own. */
export interface TaskCommand<T extends FlagTable> {
  readonly name: string;
  readonly common: T;
  readonly own: 'trainFlags' | 'evaluateFlags' | 'calibrateFlags';
  /** Begins the message where the task is missing, such as `Say what to train`. */
  readonly noTask: string;
  /** Begins the message for a task that is not known. */
  readonly unknownTask: (task: string) => string;
}

/** Help text of a command that takes a task: the flags of each task, then those of all. */
export const usageFor = ({ name, common, own }: TaskCommand<FlagTable>): string =>
  [`npm run ${name} -- TASK [flags]`, ...usageByTask(common, own, 'TASK')].join('\n');

/** Each task that a command knows, with its own flags. */
const flagsByTask = (own: TaskCommand<FlagTable>['own']): [TaskName, FlagTable][] =>
  own === 'calibrateFlags'
    ? calibrationRecipes.map(({ task, calibrateFlags }) => [task, calibrateFlags])
    : recipes.map((recipe) => [recipe.task, recipe[own]]);

/** The flags of each task and those of all. @param what begins the heading of a task */
export const usageByTask = (
  common: FlagTable,
  own: TaskCommand<FlagTable>['own'],
  what: string,
): string[] => [
  ...flagsByTask(own).map(([task, flags]) => `\n${what} ${task}\n${usageOf(flags)}`),
  `\nEvery ${what}\n${usageOf(common)}`,
];

/** @throws Error where the task is missing or unknown, or a flag is unknown or belongs to another task */
export function parseTask<T extends FlagTable>(
  command: TaskCommand<T>,
  args: readonly string[],
): { recipe: Recipe; flags: FlagsOf<T> & Flags } {
  const { common, own, noTask, unknownTask } = command;
  const task = firstArgument(common, own, args);
  const recipe = recipes.find((one) => one.task === task);
  if (!recipe)
    throw new Error(`${task === undefined ? noTask : unknownTask(task)}:\n${usageFor(command)}`);
  return { recipe, flags: flagsFor(recipe.task, common, own, args) };
}

/** The first argument that is no flag. It may stand behind flags, so the flags of all tasks are needed to find it. */
export const firstArgument = (
  common: FlagTable,
  own: TaskCommand<FlagTable>['own'],
  args: readonly string[],
): string | undefined => parseFlags(flagsOfAll(common, own), args).positionals[0];

const flagsOfAll = (common: FlagTable, own: TaskCommand<FlagTable>['own']): FlagTable =>
  Object.assign({}, common, ...flagsByTask(own).map(([, flags]) => flags)) as FlagTable;

/** @throws Error where a flag is unknown or belongs to another task */
export function flagsFor<T extends FlagTable>(
  task: TaskName,
  common: T,
  own: TaskCommand<FlagTable>['own'],
  args: readonly string[],
): FlagsOf<T> & Flags {
  const all = flagsOfAll(common, own);
  const table = { ...common, ...new Map(flagsByTask(own)).get(task) };
  const foreign = args
    .map((arg) => /^--([a-z-]+)/.exec(arg)?.[1])
    .find((name) => name !== undefined && name in all && !(name in table));
  if (foreign !== undefined) throw new Error(`--${foreign} is not a flag of ${task}; see --help.`);
  return parseFlags(table, args).flags;
}
