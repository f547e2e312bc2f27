/** `npm run bench`. */
import { runCommand } from '../../src/commands/command.ts';
import { bench, usage } from './bench.ts';

await runCommand(() => ({ usage, run: bench }), process.argv.slice(2));
