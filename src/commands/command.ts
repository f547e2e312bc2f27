/** A command of the terminal. */
export interface Command {
  readonly usage: string;
  readonly run: (args: string[]) => Promise<void>;
}

/** Runs a command, or prints its usage for `--help`. An error becomes a message on standard error and the exit code. */
export async function runCommand(
  load: () => Command | Promise<Command>,
  args: string[],
): Promise<void> {
  try {
    const { usage, run } = await load();
    if (args.includes('--help') || args.includes('-h')) console.log(usage);
    else await run(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = error instanceof Error && error.name === 'Interrupted' ? 130 : 1;
  }
}
