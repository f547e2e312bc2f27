/** What the calibration tables of a model and its variants promise: the rule of a sample, and what an answer may say. */
import type { Manifest } from '../../bundle/manifest.ts';
import type { CertifiedRule, Stoppable } from '../../stopping/parameters.ts';
import type { StopReason } from '../../stopping/reasons.ts';
import {
  isGuaranteed,
  stopRule,
  type ResolvedStopping,
  type StopRule,
} from '../../stopping/rule.ts';
import { certified } from '../../stopping/rules.ts';
import type { RunResult } from '../types.ts';
import type { LoadedVariant } from './models.ts';

/**
 * The model with the calibration table that holds for a sample.
 * @param variant chosen for it
 * @param hasRun whether that has run: one without a table of its own promises nothing then
 */
export function stoppableIn(
  manifest: Manifest,
  variant: LoadedVariant | undefined,
  hasRun: boolean,
): Stoppable {
  if (!variant) return manifest;
  return {
    ...manifest,
    calibration: variant.calibration ?? (hasRun ? undefined : manifest.calibration),
  };
}

/**
 * The stop rule by the table of the variant, with its row; undefined where the rule stays as it is.
 * @param index of the sample in its request
 */
export function ruleIn(
  variant: LoadedVariant | undefined,
  manifest: Manifest,
  stopping: ResolvedStopping,
  index: number,
): { readonly rule: StopRule; readonly certificate: CertifiedRule } | undefined {
  if (!variant?.calibration || stopping.rule !== 'tolerance') return undefined;
  const stoppable = stoppableIn(manifest, variant, true);
  // The default of the bundle holds for all its variants.
  const tolerance = stopping.tolerance ?? (manifest.calibration ?? variant.calibration).default;
  const certificate = certified(stoppable, tolerance);
  if (!certificate) return undefined;
  return { rule: stopRule({ ...stopping, tolerance, certificate }, stoppable, index), certificate };
}

/** A sample that has stopped. */
interface Promised {
  /** The row by which it ran; default: float's. */
  readonly certificate: CertifiedRule | undefined;
  readonly stoppable: Stoppable;
  readonly reason: StopReason;
}

/** What an answer promises: the largest tolerance among its samples' rows, if each of them holds. @param byDefault float's row */
export function promiseOf(
  samples: readonly Promised[],
  stopping: ResolvedStopping,
  byDefault: CertifiedRule,
): NonNullable<RunResult['tolerance']> {
  const used = samples.map(({ certificate = byDefault }) => certificate.tolerance);
  return {
    used: used.length > 0 ? Math.max(...used) : byDefault.tolerance,
    guaranteed: samples.every(
      ({ certificate = byDefault, stoppable, reason }) =>
        stoppable.calibration !== undefined && isGuaranteed({ ...stopping, certificate }, [reason]),
    ),
  };
}
