/** The requests that all servers get, in the forms that they take. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** Recovery in JSON and as float32; an image at full depth, and as deep as it needs. */
export type Kind = 'json' | 'binary' | 'png' | 'adaptive';
/** How a request is written: JSON, its bytes, a multipart form, or the Open Inference Protocol. */
export type Body = 'json' | 'raw' | 'form' | 'v2';

interface Request {
  readonly contentType: string;
  readonly body: Buffer;
}

const JSON_TYPE = 'application/json';
const BOUNDARY = 'stopwise-bench';

/** A vector [m] as each form takes it. */
export function vectorRequest(vector: Float32Array, body: Body): Request {
  if (body === 'raw')
    return { contentType: 'application/octet-stream', body: Buffer.from(vector.slice().buffer) };
  const data = Array.from(vector, (value) => Number(value.toPrecision(7)));
  const tensor = { name: 'measurements', shape: [1, data.length], datatype: 'FP32', data };
  const value = body === 'v2' ? { inputs: [tensor] } : { measurements: data };
  return { contentType: JSON_TYPE, body: Buffer.from(JSON.stringify(value)) };
}

/** A PNG as its bytes or as a form with the file `image`. */
export function imageRequest(png: Buffer, body: Body): Request {
  if (body !== 'form') return { contentType: 'image/png', body: png };
  const head = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="image"; filename="image.png"\r\ncontent-type: image/png\r\n\r\n`;
  return {
    contentType: `multipart/form-data; boundary=${BOUNDARY}`,
    body: Buffer.concat([Buffer.from(head), png, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]),
  };
}

/** Answers with 2xx within `seconds`, their latency (ms), and the requests that failed. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  readonly faults: number;
}

/** Loads a server from a process of its own; every connection sends all the requests in turn. */
export async function loadFrom(
  url: string,
  path: string,
  requests: readonly Request[],
  { connections, seconds }: { readonly connections: number; readonly seconds: number },
): Promise<LoadResult> {
  const client = spawn(process.execPath, [fileURLToPath(new URL('client.mjs', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const encoded = requests.map(({ contentType, body }) => ({
    path,
    contentType,
    body: body.toString('base64'),
  }));
  client.stdin.end(JSON.stringify({ url, connections, seconds, requests: encoded }));
  return JSON.parse(await text(client.stdout)) as LoadResult;
}
