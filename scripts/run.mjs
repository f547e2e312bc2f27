// Sets up, then runs a compiled module in this very process, so that signals reach it: node scripts/run.mjs MODULE [ARG …]
import { setUp } from './set-up.mjs';

const [module, ...args] = process.argv.slice(2);
try {
  await setUp();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
process.argv = [process.argv[0], module, ...args];
await import(`../dist/${module}.js`);
