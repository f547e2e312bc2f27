// Sets up, then runs the tests: node scripts/test.mjs [VITEST ARG …]
import { spawnSync } from 'node:child_process';
import { setUp } from './set-up.mjs';

await setUp();
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)],
  { stdio: 'inherit' },
);
process.exit(status ?? 1);
