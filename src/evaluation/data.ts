/** Test data: samples with their truth, condition by condition. */
import type { Manifest } from '../bundle/manifest.ts';
import type { Sample } from '../engine/types.ts';

/** One sample with the true output. */
export interface Case {
  readonly sample: Sample;
  /** What the metric compares the output with. */
  readonly truth: Float32Array;
}

/** Cases measured under the same setting, such as one noise level; `label` names the setting. */
export interface Condition {
  readonly label: Readonly<Record<string, number | string>>;
  readonly cases: readonly Case[];
}

/** Data to measure on: its name, and a draw of it for a seed. */
export interface TestData {
  readonly name: string;
  conditions(manifest: Manifest, seed: number): Condition[];
  /** What the threshold is calibrated on; another draw of the same data where absent. */
  calibration?(manifest: Manifest): Condition[];
}
