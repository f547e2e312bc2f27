/** `npm run soak`. */
import { runCommand } from '../../src/commands/command.ts';
import { soak, usage } from './soak.ts';

await runCommand(() => ({ usage, run: soak }), process.argv.slice(2));
