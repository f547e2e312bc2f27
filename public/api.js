/** Calls of the service. All URLs are relative, so that the page works behind a path prefix. */
import { readEvents } from './events.js';

let token = '';

/** Sends this bearer token with every call from now on. */
export const useToken = (text) => {
  token = text;
};

/** A refusal, with the sentence that the service gave. */
export class Refused extends Error {
  constructor({ detail, title, status, code }) {
    super(detail ?? title ?? `The service answered ${status}.`);
    this.status = status;
    this.code = code;
  }
}

/** Fetches from the service. Throws Refused, or Error where it cannot be reached. */
export async function call(path, { headers, ...init } = {}) {
  const withToken = new Headers(headers);
  if (token) withToken.set('authorization', `Bearer ${token}`);
  const response = await fetch(path, { ...init, headers: withToken }).catch((error) => {
    if (error.name === 'AbortError') throw error;
    throw new Error('The service cannot be reached. Is it running?');
  });
  if (response.ok) return response;
  if (response.status === 401) document.dispatchEvent(new Event('unauthorized'));
  const problem = await response.json().catch(() => ({}));
  throw new Refused({ ...problem, status: response.status });
}

/** The manifests of all models. */
export const models = async () => (await (await call('v1/models')).json()).models;

/**
 * Posts to a task and gives its JSON answer.
 * @param onExit takes each exit as it is reached, where the service sends events
 */
export async function ask(route, { query = {}, body, type, signal, onExit }) {
  const response = await call(`v1/${route}?${new URLSearchParams(query)}`, {
    method: 'POST',
    body,
    signal,
    headers: {
      accept: onExit ? 'text/event-stream, application/json;q=0.9' : 'application/json',
      ...(type && { 'content-type': type }),
    },
  });
  if (!response.headers.get('content-type')?.startsWith('text/event-stream'))
    return response.json();
  for await (const { event, data } of readEvents(response.body)) {
    if (event === 'exit') onExit?.(data);
    if (event === 'result') return data;
    if (event === 'error') throw new Refused(data);
  }
  throw new Error('The answer broke off. Try again.');
}
