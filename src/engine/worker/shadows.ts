/** Shadow runs: a share of the early answers is run to full depth while the worker is idle, to notice that traffic has changed. */
import { certified } from '../../stopping/rules.ts';
import { relativeDistance, squaredSums, type SquaredSums } from '../../stopping/distance.ts';
import { at, entry } from '../../util/at.ts';
import { clock } from '../../util/clock.ts';
import { mix } from '../../util/mix.ts';
import type { ShadowReport } from '../transport/messages.ts';
import type { RunResult, Sample, SampleResult } from '../types.ts';
import { Job } from './jobs.ts';
import type { LoadedModel } from './models.ts';

/** What the shadow runs of a worker may hold, bytes: inputs and early answers. Those that do not fit are dropped. */
const MAX_BYTES = 64 * 2 ** 20;

/** Takes answers for shadow runs, and reports their distances. */
export class Shadows {
  private held = 0;

  /**
   * @param share of the requests that are drawn, 0 to 1
   * @param runWhenIdle starts a job whose samples run only while nothing else waits
   */
  constructor(
    private readonly share: number,
    private readonly runWhenIdle: (job: Job) => void,
    private readonly report: (report: ShadowReport) => void,
    private readonly maxBytes = MAX_BYTES,
  ) {}

  /** Whether a request is drawn, by its number: at arrival, so that its answer has no influence. */
  draws(id: number): boolean {
    return (mix(id) >>> 0) / 2 ** 32 < this.share;
  }

  /**
   * Runs the samples of an answered request to full depth later, if some stopped early by the rule that calibration measured:
   * the certified one of the default tolerance. They run in the variant that they were answered in.
   */
  take(
    model: LoadedModel,
    samples: readonly Sample[],
    { samples: results, tolerance }: RunResult,
  ): void {
    const { name, depth, outputs, calibration: floats } = model.manifest;
    const [variant, ...others] = new Set(results.map((result) => result.variant));
    // Samples of several variants have several tables.
    if (others.length > 0) return;
    const form = model.variants.find((one) => one.name === variant);
    const calibration = form ? form.calibration : floats;
    const usual = calibration?.shadow_distance;
    const byDefault = certified({ calibration }, floats?.default)?.tolerance;
    if (usual === undefined || !tolerance?.guaranteed || tolerance.used !== byDefault) return;
    const isEarly = (_: unknown, i: number): boolean => at(results, i).depth < depth;
    const early = results.filter(isEarly);
    if (early.length === 0) return;
    const output = at(outputs, 0).name;
    const inputs = samples.filter(isEarly);
    const bytes =
      bytesOf(inputs) + early.reduce((sum, one) => sum + answerOf(one, output).byteLength, 0);
    if (this.held + bytes > this.maxBytes) {
      this.report({ model: name });
      return;
    }
    this.held += bytes;
    // The answers' buffers go to the caller.
    const answers = early.map((one) => answerOf(one, output).slice());
    const atFullDepth = results
      .filter((result) => result.depth === depth)
      .map((one) => squaredSums(answerOf(one, output), answerOf(one, output)));
    const job = new Job(0, model, inputs, { rule: 'fixed', depth }, clock());
    job.onlyWhenIdle = true;
    for (const item of job.items) item.runIn(form);
    void job.result
      .then(({ samples: full }) => {
        // Under load its depth was lowered: there is nothing to compare with.
        if (full.some((one) => one.depth < depth)) return;
        const sums: SquaredSums[] = answers.map((answer, i) =>
          squaredSums(answer, answerOf(at(full, i), output)),
        );
        this.report({ model: name, distance: relativeDistance([...sums, ...atFullDepth]) / usual });
      })
      .catch(() => undefined)
      .finally(() => (this.held -= bytes));
    this.runWhenIdle(job);
  }
}

const answerOf = ({ outputs }: SampleResult, output: string): Float32Array =>
  entry(outputs, output).data;

const bytesOf = (samples: readonly Sample[]): number =>
  samples
    .flatMap((sample) => Object.values(sample))
    .reduce((sum, { data }) => sum + data.byteLength, 0);
