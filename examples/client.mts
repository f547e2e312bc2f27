// Denoise, recover and infer with fetch alone (Node 20 or later): npx tsx examples/client.mts [URL]
import { readFile, writeFile } from 'node:fs/promises';

const [url = 'http://localhost:8080'] = process.argv.slice(2);

async function post(path: string, body: Uint8Array | string, type: string): Promise<Response> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': type },
    body,
  });
  // Errors are application/problem+json: `detail` says what to change.
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return response;
}

const noisy = new Uint8Array(await readFile('docs/samples/noisy.png'));
const denoised = await post('/v1/denoise?deadline_ms=2000', noisy, 'image/png');
await writeFile('denoised.png', new Uint8Array(await denoised.arrayBuffer()));
console.log('denoise: depth', denoised.headers.get('x-stop-depth'));

const measurements = await readFile('docs/samples/measurements.json', 'utf8');
const recovered = (await (await post('/v1/recover', measurements, 'application/json')).json()) as {
  samples: { depth: number; reason: string }[];
};
console.log('recover:', recovered.samples);

const tensor = {
  model: 'sparse-recovery',
  inputs: { measurements: [new Array<number>(250).fill(0)] },
  stopping: { max_depth: 4 },
};
const inferred = (await (
  await post('/v1/tensor', JSON.stringify(tensor), 'application/json')
).json()) as {
  outputs: Record<string, number[][]>;
};
console.log('tensor:', Object.keys(inferred.outputs));
