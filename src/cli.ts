/** The commands beside the service. */

const commands: Record<string, () => Promise<(args: string[]) => Promise<void>>> = {
  train: async () => (await import('./commands/train.ts')).train,
  evaluate: async () => (await import('./commands/evaluate.ts')).evaluateCommand,
  reproduce: async () => (await import('./commands/reproduce.ts')).reproduce,
  bench: async () => (await import('./commands/bench.ts')).bench,
};

const [name = '', ...args] = process.argv.slice(2);
const load = commands[name];
if (!load) {
  console.error(`There is no command ${name}; there are ${Object.keys(commands).join(', ')}.`);
  process.exitCode = 2;
} else {
  try {
    await (
      await load()
    )(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = error instanceof Error && error.name === 'Interrupted' ? 130 : 1;
  }
}
