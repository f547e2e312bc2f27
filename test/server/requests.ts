/** What the tests of the routes send to the small service. */
import sharp from 'sharp';
import { expect } from 'vitest';
import { Random } from '../../src/data/random.ts';
import type { SmallService } from './support.ts';

export const JSON_TYPE = { 'content-type': 'application/json' };

const random = new Random(1);

/** Measurements for the small model of sparse recovery, which takes 12. */
export const vector = (length = 12): number[] => Array.from({ length }, random.normal);

/** Noise of 40×30 pixels as PNG files, gray and in colour. */
export async function noiseImages(): Promise<{ gray: Buffer; color: Buffer }> {
  const noise = (channels: 1 | 3): ReturnType<typeof sharp> =>
    sharp(
      Uint8Array.from({ length: 40 * 30 * channels }, () => random.integer(256)),
      { raw: { width: 40, height: 30, channels } },
    );
  return {
    gray: await noise(1).toColourspace('b-w').png().toBuffer(),
    color: await noise(3).png().toBuffer(),
  };
}

/** Requests to a service that may start later than this is called. */
export function requestsTo(service: () => SmallService) {
  const post = (url: string, payload: Buffer | string, headers: Record<string, string>) =>
    service().app.inject({ method: 'POST', url, payload, headers });
  const recover = (body: unknown, query = '') =>
    post(`/v1/recover${query}`, JSON.stringify(body), JSON_TYPE);
  return { post, recover };
}

export type BadRequests = Record<
  string,
  [
    status: number,
    code: string,
    says: RegExp,
    send: () => Promise<{ statusCode: number; headers: object; json(): unknown }>,
  ]
>;

/** Sends a bad request, which must get that problem, and then a good one, which must be served. */
export async function expectProblem(
  service: SmallService,
  [status, code, says, send]: BadRequests[string],
): Promise<void> {
  const answer = await send();
  expect(answer.json()).toMatchObject({
    status,
    code,
    detail: expect.stringMatching(says) as string,
    type: `urn:stopwise:problem:${code}`,
  });
  expect(answer.statusCode).toBe(status);
  expect(answer.headers).toMatchObject({ 'content-type': 'application/problem+json' });
  expect((await requestsTo(() => service).recover({ measurements: vector() })).statusCode).toBe(
    200,
  );
  expect(service.engine.pending).toBe(0);
}
