/** `npm run reproduce`. */
import { runCommand } from '../../src/commands/command.ts';
import { reproduce, usage } from './reproduce.ts';

await runCommand(() => ({ usage, run: reproduce }), process.argv.slice(2));
