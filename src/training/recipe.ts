/** A task's learning as one row: configuration, data, stages, test data and what the bundle says of itself. */
import type { TObject } from 'typebox';
import type { Manifest, Measurement, TaskName } from '../bundle/manifest.ts';
import type { Random } from '../data/random.ts';
import type { TestData } from '../evaluation/data.ts';
import type { Metric } from '../evaluation/metrics.ts';
import type { CalibrationTraffic } from '../evaluation/traffic.ts';
import type { Family } from '../families/family.ts';
import type { ConfigFile } from './config.ts';
import type { FlopsUnit } from './export.ts';
import type { Flags, FlagTable } from './flags.ts';
import type { Source, Stage } from './stage-run.ts';
import type { Weights } from './weights.ts';

/** What every task's configuration has. */
export interface BaseConfig {
  readonly seed: number;
}

/**
 * How a task's models are trained and measured. `Config` is the configuration, `Data` what the model is trained on;
 * the methods of one recipe take only what the same recipe has returned.
 */
export interface Recipe<Config extends BaseConfig = BaseConfig, Data = unknown> {
  readonly task: TaskName;
  /** What {@link TrainingPlan.config} and the `training.config` of a manifest are checked against. */
  readonly schema: TObject;
  /** Fills the keys that configurations of older manifests lack. */
  readonly defaults: Config;
  readonly flopsUnit: FlopsUnit;
  readonly metric: Metric;
  /** The mean quality that the calibrated threshold may give up, in the metric's unit. */
  readonly calibrationLoss: number;
  /** The task's own flags of `train`. */
  readonly trainFlags: FlagTable;
  /** The task's own flags of `evaluate`. */
  readonly evaluateFlags: FlagTable;
  /** The task's own flags of `calibrate`. */
  readonly calibrateFlags: FlagTable;

  /** Reads data and configuration, before any work. @throws Error that says which flag or file to change */
  plan(flags: Flags, file: ConfigFile): Promise<TrainingPlan<Config, Data>>;
  /** Family and stages; `random` draws the batches. */
  setUp(config: Config, data: Data, random: Random): TrainingSetup;
  /** The training data in a few words, for the manifest. */
  describe(data: Data): string;
  /** The family that a bundle was exported from. */
  family(config: Config, manifest: Manifest, modelsDir: string): Family | Promise<Family>;
  /** The data that `evaluate` measures a bundle on. @throws Error that says which flag or file to change */
  testData(flags: Flags, manifest: Manifest, modelsDir: string): Promise<TestData>;
  /** The requests that `calibrate` certifies a bundle on. @throws Error that says which flag or file to change */
  traffic(
    flags: Flags,
    manifest: Manifest,
    modelsDir: string,
    seed: number,
  ): Promise<CalibrationTraffic>;
  /**
   * The int8 variant of a bundle's path, fitted on its training data; absent where the task's models have no such form.
   * @param folder of `--data`
   * @param onProgress takes the share of the work that is done, 0..1
   */
  quantise?(
    config: Config,
    weights: Weights,
    folder: string,
    onProgress: (share: number) => void,
  ): Promise<VariantFiles>;
  /** What is wrong with a model that was measured like this, in a sentence; undefined where it is of use. */
  failure?(measured: readonly Measurement[]): string | undefined;
  /** Whether only one of two models of the task can be the default. */
  areRivals(a: Manifest, b: Manifest): boolean;
}

/** The same path in another arithmetic: a file for each of the bundle's segments, and the contents of the new ones. */
export interface VariantFiles {
  readonly name: string;
  readonly segments: string[];
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

/** What `calibrate` needs of a task; a task without models that are trained here has this alone. */
export type CalibrationRecipe = Pick<Recipe, 'task' | 'metric' | 'calibrateFlags' | 'traffic'>;

/** A training run that is ready to start. */
export interface TrainingPlan<Config, Data> {
  readonly config: Config;
  readonly data: Data;
  /** The bundle's name where no other is asked for. */
  readonly name: string;
  readonly description: string;
  /** A published form that is kept for comparison. */
  readonly baseline: boolean;
  /** What the manifest says of the requests that the bundle takes. */
  readonly requests?: Pick<Manifest, 'limits' | 'drawings'>;
  /** The task's own files in the bundle, by name. */
  readonly taskFiles: ReadonlyMap<string, Uint8Array>;
  readonly test: TestData;
}

/** The family to train, the stages in order, and what their batches are drawn from. */
export interface TrainingSetup {
  readonly family: Family;
  readonly stages: readonly Stage[];
  /** Where the batches come from; the random numbers where absent. */
  readonly source?: Source;
}

/** A bundle's name from the name of a file or folder. */
export const toBundleName = (name: string): string =>
  name.toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
