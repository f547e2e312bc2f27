// A worker whose task `wedge` blocks its thread for ever, as a native call that does not return.
import { serveEngine } from '../../dist/engine/worker/entry.js';

const sample = (models) => {
  const { name, inputs } = models.get('small-recovery');
  const [{ name: input, shape }] = inputs;
  return {
    model: name,
    samples: [{ [input]: { data: new Float32Array(shape[1]).fill(0.1), dims: [shape[1]] } }],
    stopping: {},
    encode: async () => ({
      contentType: 'text/plain',
      headers: {},
      body: new TextEncoder().encode('answered'),
    }),
  };
};

await serveEngine(() => async ({ task }, models) => {
  if (task === 'wedge') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  return sample(models);
});
