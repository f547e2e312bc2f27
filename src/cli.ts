/** The commands beside the service. */
import { runCommand, type Command } from './commands/command.ts';

const commands: Record<string, () => Promise<Command>> = {
  train: () =>
    import('./commands/train.ts').then(({ usage, trainCommand: run }) => ({ usage, run })),
  evaluate: () =>
    import('./commands/evaluate.ts').then(({ usage, evaluateCommand: run }) => ({ usage, run })),
  calibrate: () =>
    import('./commands/calibrate.ts').then(({ usage, calibrateCommand: run }) => ({ usage, run })),
  quantise: () =>
    import('./commands/quantise.ts').then(({ usage, quantiseCommand: run }) => ({ usage, run })),
  bundle: () =>
    import('./commands/bundle.ts').then(({ usage, bundleCommand: run }) => ({ usage, run })),
};

const [name = '', ...args] = process.argv.slice(2);
const load = commands[name];
if (load) await runCommand(load, args);
else {
  console.error(`There is no command ${name}; there are ${Object.keys(commands).join(', ')}.`);
  process.exitCode = 2;
}
