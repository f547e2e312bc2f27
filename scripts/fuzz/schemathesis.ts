/** Runs schemathesis (PyPI) against the OpenAPI document, where it is installed. */
import { spawnSync } from 'node:child_process';

const MAX_EXAMPLES = 50;

/** Its findings; none, with a printed reason, where it is not installed. */
export function schemathesis(url: string): Promise<string[]> {
  const found = spawnSync('schemathesis', ['--version'], { encoding: 'utf8' });
  if (found.status !== 0) {
    console.log('schemathesis is not installed (pip install schemathesis): skipped.');
    return Promise.resolve([]);
  }
  const { status } = spawnSync(
    'schemathesis',
    [
      'run',
      `${url}/openapi.json`,
      '--checks',
      'not_a_server_error',
      '--max-examples',
      String(MAX_EXAMPLES),
    ],
    { stdio: 'inherit' },
  );
  return Promise.resolve(status === 0 ? [] : ['schemathesis found a server error']);
}
