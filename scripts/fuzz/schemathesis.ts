/** Runs schemathesis (PyPI) against the OpenAPI document, where it is installed. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

const MAX_EXAMPLES = 50;

/** Its findings; none, with a printed reason, where it is not installed. */
export async function schemathesis(url: string): Promise<string[]> {
  const found = spawnSync('schemathesis', ['--version'], { encoding: 'utf8' });
  if (found.status !== 0) {
    console.log('schemathesis is not installed (pip install schemathesis): skipped.');
    return [];
  }
  const args = ['run', `${url}/openapi.json`, '--checks', 'not_a_server_error'];
  // Beside it the service's log is read on.
  const child = spawn('schemathesis', [...args, '--max-examples', String(MAX_EXAMPLES)], {
    stdio: 'inherit',
  });
  const [status] = (await once(child, 'exit')) as [number | null];
  return status === 0 ? [] : ['schemathesis found a server error'];
}
