// Every task with fetch alone (Node 20 or later): npx tsx examples/client.mts [URL]
import { readFile, writeFile } from 'node:fs/promises';

const [url = 'http://localhost:8080'] = process.argv.slice(2);
const sample = async (name: string) => new Uint8Array(await readFile(`docs/samples/${name}`));

/** A form names its content type itself. */
async function post(path: string, body: BodyInit, type?: string) {
  const headers: Record<string, string> = type ? { 'content-type': type } : {};
  const response = await fetch(url + path, { method: 'POST', headers, body });
  // Errors are application/problem+json: `detail` says what to change.
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return response;
}

async function postForJson<T>(...request: Parameters<typeof post>): Promise<T> {
  return (await (await post(...request)).json()) as T;
}

const denoised = await post('/v1/denoise?deadline_ms=2000', await sample('noisy.png'), 'image/png');
await writeFile('denoised.png', new Uint8Array(await denoised.arrayBuffer()));
console.log('denoise: depth', denoised.headers.get('x-stop-depth'));

const measurements = await sample('measurements.json');
const recovered = await postForJson<{ samples: { depth: number; reason: string }[] }>(
  '/v1/recover',
  measurements,
  'application/json',
);
console.log('recover:', recovered.samples);

const picture = await sample('clean.jpg');
const recognized = await postForJson<{ label: string }>('/v1/recognize', picture, 'image/jpeg');
console.log('recognize:', recognized.label);

// A label counts for the examples after it.
const form = new FormData();
for (const label of ['anchor', 'gate', 'kite']) {
  form.append('label', label);
  form.append('support', new Blob([await sample(`characters/${label}-1.png`)]), `${label}.png`);
}
form.append('query', new Blob([await sample('characters/query-1.png')]), 'query.png');
const few = await postForJson<{ predictions: { label: string }[] }>('/v1/few-shot', form);
console.log(
  'few-shot:',
  few.predictions.map(({ label }) => label),
);

const tensor = {
  model: 'sparse-recovery',
  inputs: { measurements: [new Array<number>(250).fill(0)] },
  stopping: { max_depth: 8 },
};
const inferred = await postForJson<{ outputs: Record<string, number[][]> }>(
  '/v1/tensor',
  JSON.stringify(tensor),
  'application/json',
);
console.log('tensor:', Object.keys(inferred.outputs));
