/** Runs the steps of the check one after another and says what was checked, skipped and wrong. */
import { Unavailable } from './tools.ts';

/** What one step does. @returns a summary @throws Unavailable where a tool is missing, another error where a check fails */
export type Step = () => Promise<string> | string;

/**
 * Runs all steps, whatever becomes of the others.
 * @param strict a skipped step counts as a failure
 * @param print takes the lines of the report
 * @returns the exit status
 */
export async function runSteps(
  steps: Readonly<Record<string, Step>>,
  strict: boolean,
  print: (line: string) => void = console.log,
): Promise<0 | 1> {
  const counts = { passed: 0, skipped: 0, failed: 0 };
  for (const [name, step] of Object.entries(steps)) {
    const startedAt = performance.now();
    try {
      const summary = await step();
      counts.passed++;
      print(`— ${name}: ${summary} (${seconds(startedAt)} s)`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const isSkipped = error instanceof Unavailable;
      counts[isSkipped ? 'skipped' : 'failed']++;
      print(`— ${name}: ${isSkipped ? `skipped, ${reason}` : `FAILED\n${reason}`}`);
    }
  }
  const { passed, skipped, failed } = counts;
  print(`${passed} passed, ${skipped} skipped, ${failed} failed`);
  return failed > 0 || (strict && skipped > 0) ? 1 : 0;
}

const seconds = (startedAt: number): number => Math.round((performance.now() - startedAt) / 1000);
