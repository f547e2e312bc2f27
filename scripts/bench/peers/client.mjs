// A process of its own that loads one server, so that the clients' CPU time is not counted as the server's.
// Takes {url, connections, seconds, requests: [{path, contentType, body (base64)}]} on its standard input, prints
// {requests, seconds, p50, p99, faults}; times in ms.
import { text } from 'node:stream/consumers';
import autocannon from 'autocannon';

const { url, connections, seconds, requests } = JSON.parse(await text(process.stdin));
const result = await autocannon({
  url,
  connections,
  duration: seconds,
  timeout: 60,
  requests: requests.map(({ path, contentType, body }) => ({
    method: 'POST',
    path,
    headers: { 'content-type': contentType },
    body: Buffer.from(body, 'base64'),
  })),
});
console.log(
  JSON.stringify({
    requests: result['2xx'],
    seconds: result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    faults: result.non2xx + result.errors,
  }),
);
