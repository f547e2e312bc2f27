/** `npm run fuzz`. */
import { runCommand } from '../../src/commands/command.ts';
import { fuzz, usage } from './fuzz.ts';

await runCommand(() => ({ usage, run: fuzz }), process.argv.slice(2));
