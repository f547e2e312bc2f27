// Sets up, then runs the tests: node scripts/test.mjs [--all] [FILE …] [VITEST ARG …]
// Without --all and without files, the slow ones are left out.
import { spawnSync } from 'node:child_process';
import { setUp } from './set-up.mjs';

const args = process.argv.slice(2).filter((arg) => arg !== '--all');
const isWhole = process.argv.includes('--all') || args.some((arg) => !arg.startsWith('-'));
const quick = isWhole ? [] : ['--project', 'together', '--project', 'apart'];

await setUp();
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', ...quick, ...args],
  { stdio: 'inherit' },
);
process.exit(status ?? 1);
