/** Requests at a fixed rate, whether or not the service keeps up. */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** A request that is sent again and again. */
export interface Shot {
  readonly path: string;
  readonly body: Buffer;
  readonly contentType: string;
  /** What an answer is waited for, ms; default: a minute. */
  readonly patienceMs?: number;
}

/** An answer: its status, when it came (ms after it was due) and its headers. */
export interface Answer {
  readonly status: number;
  readonly ms: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** How often requests that are due are sent, ms. */
const STEP_MS = 5;
/** Connections of the open loop: with one for each request that waits, the ports of the machine would run out. */
const MAX_CONNECTIONS = 1000;
/** A real client gives up as well. */
const PATIENCE_MS = 60_000;

/** One request over kept connections; status 0 where the connection fails. */
export function send(
  url: string,
  agent: Agent,
  shot: Shot,
  due = performance.now(),
): Promise<Answer> {
  return new Promise((resolve) => {
    const failed = (): void => resolve({ status: 0, ms: performance.now() - due, headers: {} });
    const sent = request(
      `${url}${shot.path}`,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': shot.contentType, 'content-length': shot.body.length },
      },
      (response) => {
        response.on('error', failed);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            ms: performance.now() - due,
            headers: response.headers,
          }),
        );
        response.resume();
      },
    );
    sent.setTimeout(shot.patienceMs ?? PATIENCE_MS, () => sent.destroy());
    sent.on('error', failed);
    sent.end(shot.body);
  });
}

/** Sends `rate` requests a second for `seconds` over at most MAX_CONNECTIONS, and waits for all answers. */
export async function openLoop(
  url: string,
  shot: Shot,
  rate: number,
  seconds: number,
): Promise<Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
  const answers: Promise<Answer>[] = [];
  const start = performance.now();
  const total = Math.round(rate * seconds);
  while (answers.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - start) / 1000) * rate) + 1);
    while (answers.length < due)
      answers.push(send(url, agent, shot, start + (answers.length / rate) * 1000));
    await sleep(STEP_MS);
  }
  const all = await Promise.all(answers);
  agent.destroy();
  return all;
}

/** As many requests as `connections` clients get answered that wait for each answer. @returns answers a second */
export async function closedLoop(
  url: string,
  shot: Shot,
  connections: number,
  seconds: number,
): Promise<number> {
  const agent = new Agent({ keepAlive: true });
  const start = performance.now();
  const end = start + 1000 * seconds;
  let count = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      const { status } = await send(url, agent, shot);
      if (status === 200) count++;
    }
  };
  await Promise.all(Array.from({ length: connections }, client));
  agent.destroy();
  return (1000 * count) / (performance.now() - start);
}
