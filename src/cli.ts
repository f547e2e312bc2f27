/** The commands beside the service. */

interface Command {
  readonly usage: string;
  readonly run: (args: string[]) => Promise<void>;
}

const commands: Record<string, () => Promise<Command>> = {
  train: () => import('./commands/train.ts').then(({ usage, train: run }) => ({ usage, run })),
  evaluate: () =>
    import('./commands/evaluate.ts').then(({ usage, evaluateCommand: run }) => ({ usage, run })),
  reproduce: () =>
    import('./commands/reproduce.ts').then(({ usage, reproduce: run }) => ({ usage, run })),
  bench: () => import('./commands/bench.ts').then(({ usage, bench: run }) => ({ usage, run })),
};

const [name = '', ...args] = process.argv.slice(2);
const load = commands[name];
if (!load) {
  console.error(`There is no command ${name}; there are ${Object.keys(commands).join(', ')}.`);
  process.exitCode = 2;
} else {
  try {
    const { usage, run } = await load();
    if (args.includes('--help') || args.includes('-h')) console.log(usage);
    else await run(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = error instanceof Error && error.name === 'Interrupted' ? 130 : 1;
  }
}
