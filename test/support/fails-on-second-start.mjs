// A worker that starts once: the first writes its process id to the file that its settings name, later ones fail.
import { existsSync, writeFileSync } from 'node:fs';
import { serveEngine } from '../../dist/engine/worker/entry.js';

await serveEngine(({ file }) => {
  if (existsSync(file)) throw new Error('only one worker may start');
  writeFileSync(file, String(process.pid));
  return {};
});
