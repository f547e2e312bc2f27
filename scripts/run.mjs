// Sets up, then runs a module in this very process, so that signals reach it: node scripts/run.mjs MODULE [ARG …].
// MODULE is a compiled module of src without its ending, such as cli, or a TypeScript file, such as scripts/bench/cli.ts.
import { setUp } from './set-up.mjs';

const [module, ...args] = process.argv.slice(2);
try {
  await setUp();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
process.argv = [process.argv[0], module, ...args];
if (module.endsWith('.ts')) {
  const { register } = await import('tsx/esm/api');
  register();
  await import(`../${module}`);
} else await import(`../dist/${module}.js`);
