// Proves the service with clients that others wrote, clients generated from its OpenAPI document, and the examples:
// node scripts/clients/run.mjs [--strict]. With --strict a check that cannot be run counts as a failure.
import { setUp } from '../set-up.mjs';

await setUp();
const { register } = await import('tsx/esm/api');
register();
await import('./check.ts');
