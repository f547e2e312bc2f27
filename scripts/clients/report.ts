/** What the checks came to: one closing line, and whether it is good enough. */

/** How a check ended; with the reason unless it passed. */
export interface Outcome {
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly reason?: string;
}

/** Counts of each state, with the names and reasons of what did not pass. */
export function closingLine(outcomes: readonly Outcome[]): string {
  const those = (state: Outcome['state']): Outcome[] =>
    outcomes.filter((outcome) => outcome.state === state);
  const failed = those('failed');
  return [
    `${those('passed').length} client checks passed`,
    ...(failed.length > 0 ? [counted('failed', failed)] : []),
    counted('skipped', those('skipped')),
  ].join(', ');
}

/** Checks that share a reason are named together. */
function counted(state: string, outcomes: readonly Outcome[]): string {
  if (outcomes.length === 0) return `0 ${state}`;
  const groups = [...new Set(outcomes.map(({ reason }) => reason))].map((reason) => {
    const names = outcomes.filter((one) => one.reason === reason).map(({ name }) => name);
    return `${names.join(', ')}${reason ? ` (${reason})` : ''}`;
  });
  return `${outcomes.length} ${state}: ${groups.join('; ')}`;
}

/** Whether nothing failed and, where it is strict, nothing was skipped. */
export function isGoodEnough(outcomes: readonly Outcome[], isStrict: boolean): boolean {
  return outcomes.every(({ state }) => state === 'passed' || (state === 'skipped' && !isStrict));
}

/** Skipping is a failure with `--strict`, and in CI where Python packages can be installed. */
export function isStrict(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  canInstall: boolean,
): boolean {
  return args.includes('--strict') || (env.CI === 'true' && canInstall);
}
