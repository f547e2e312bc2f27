// A worker whose tasks end it: `abort`, `throw` and `exit` each time, `once` and `throw-once` where the file that their body
// names does not exist yet.
import { existsSync, writeFileSync } from 'node:fs';
import { serveEngine } from '../../dist/engine/worker/entry.js';

/** As a native abort ends it, without the stack that would be printed. */
const end = () => {
  process.kill(process.pid, 'SIGABRT');
  return new Promise(() => undefined);
};
/** As an error that nobody catches ends it, such as in a callback. */
const throwUncaught = () => {
  setImmediate(() => {
    throw new Error('nobody catches this');
  });
  return new Promise(() => undefined);
};
const sample = (models) => {
  const { name, inputs } = models.get('small-recovery');
  const [{ name: input, shape }] = inputs;
  return {
    model: name,
    samples: [{ [input]: { data: new Float32Array(shape[1]).fill(0.1), dims: [shape[1]] } }],
  };
};
const encode = async () => ({
  contentType: 'text/plain',
  headers: {},
  body: new TextEncoder().encode('answered'),
});

const endingOnce =
  (end) =>
  async ({ body }, models) => {
    const file = new TextDecoder().decode(body);
    if (!existsSync(file)) {
      writeFileSync(file, '');
      await end();
    }
    return { ...sample(models), stopping: {}, encode };
  };

const tasks = {
  abort: end,
  throw: throwUncaught,
  // In a thread this ends the thread alone.
  exit: () => process.exit(7),
  once: endingOnce(end),
  'throw-once': endingOnce(throwUncaught),
  fine: async (_, models) => ({ ...sample(models), stopping: {}, encode }),
};
await serveEngine(() => (request, models) => tasks[request.task](request, models));
