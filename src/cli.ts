/** The commands beside the service: `train`, `evaluate`. */
import { train } from './commands/train.ts';
import { evaluateCommand } from './commands/evaluate.ts';
import { Interrupted } from './training/loop.ts';

const commands: Record<string, (args: string[]) => Promise<void>> = { train, evaluate: evaluateCommand };

const [name = '', ...args] = process.argv.slice(2);
const command = commands[name];
if (!command) {
  console.error(`There is no command ${name}; there are ${Object.keys(commands).join(', ')}.`);
  process.exitCode = 2;
} else {
  await command(args).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = error instanceof Interrupted ? 130 : 1;
  });
}
