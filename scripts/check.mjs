// Types, lint, format, arrows between rooms, dead code: all of them, and a list of what failed.
import { spawnSync } from 'node:child_process';
import { setUp } from './set-up.mjs';

await setUp();
const steps = [
  ['types', 'typescript/bin/tsc', ['-p', 'tsconfig.test.json']],
  ['types of scripts', 'typescript/bin/tsc', ['-p', 'scripts/tsconfig.json']],
  ['lint', 'eslint/bin/eslint.js', ['.']],
  ['format', 'prettier/bin/prettier.cjs', ['--check', '--log-level', 'warn', '.']],
  [
    'arrows',
    'dependency-cruiser/bin/dependency-cruise.mjs',
    ['--config', '.dependency-cruiser.cjs', 'src', 'scripts'],
  ],
  ['dead code', 'knip/bin/knip.js', []],
  ['dead code in the service', 'knip/bin/knip.js', ['--production']],
  ['results in the documentation', '../scripts/results.mjs', ['--check']],
  ['links', '../scripts/links.mjs', []],
];
const failed = steps.filter(([name, file, args]) => {
  console.log(`— ${name}`);
  return (
    spawnSync(process.execPath, [`node_modules/${file}`, ...args], { stdio: 'inherit' }).status !==
    0
  );
});
if (failed.length > 0) console.error(`failed: ${failed.map(([name]) => name).join(', ')}`);
process.exit(failed.length > 0 ? 1 : 0);
