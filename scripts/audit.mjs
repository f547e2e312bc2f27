// Known vulnerabilities of what the service runs with, where the registry answers: node scripts/audit.mjs
// Fails on those that are high or critical; a registry without an audit is said, and is no failure.
import { spawnSync } from 'node:child_process';

const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], { encoding: 'utf8' });
const report = JSON.parse(stdout || '{}');
const found = report.metadata?.vulnerabilities;
if (!found) {
  console.log(`No audit: ${report.message ?? 'npm gave no report'}.`);
  process.exit(0);
}
console.log(
  `Known vulnerabilities: ${found.total}, of which ${found.high + found.critical} are high or critical.`,
);
for (const [name, { severity, range }] of Object.entries(report.vulnerabilities))
  console.log(`  ${name} ${range}: ${severity}`);
process.exit(found.high + found.critical > 0 ? 1 : 0);
