/** /docs in Debian's Chromium, over plain HTTP from another host, and the examples of the OpenAPI document. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noBrowser, OTHER_HOST, startVisit, WAIT, type Visit } from './visit.ts';

interface OpenApi {
  readonly paths: Record<
    string,
    Record<string, { requestBody?: { content: Record<string, { example?: unknown }> } }>
  >;
}
describe.skipIf(noBrowser)('/docs in a browser', { timeout: 3 * WAIT }, () => {
  let visit: Visit;
  let page: Page;
  /** All that the console and the network complain of. */
  const complaints: string[] = [];
  beforeAll(async () => {
    visit = await startVisit();
    ({ page } = visit);
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('response', (answer) => {
      if (answer.status() >= 400) complaints.push(`${answer.status()} ${answer.url()}`);
    });
    await page.goto(`http://${OTHER_HOST}:${new URL(visit.service.url).port}/docs`);
    await page.locator('.opblock').first().waitFor();
  }, 4 * WAIT);
  afterAll(() => visit?.close());

  /** Opens an operation to try it out. */
  const tryOut = async (path: string) => {
    const operation = page.locator(`.opblock-post:has([data-path="${path}"])`);
    await operation.locator('.opblock-summary-control').click();
    await operation.locator('.try-out__btn').click();
    return operation;
  };
  const statusOf = (operation: Awaited<ReturnType<typeof tryOut>>) =>
    operation.locator('.live-responses-table tbody .response-col_status').first().textContent();

  it('opens over HTTP from another host, with its title and icon', async () => {
    expect(await page.evaluate('isSecureContext')).toBe(false);
    expect(await page.title()).toBe('stopwise API');
    const icon = await page.locator('link[rel="icon"]').first().getAttribute('href');
    const answer = await page.request.get(
      new URL(icon!.replace(/^\.\//, 'docs/'), visit.service.url).href,
    );
    expect([answer.status(), answer.headers()['content-type']]).toEqual([
      200,
      expect.stringMatching(/^image\//),
    ]);
    expect(await page.locator('.opblock-post', { hasText: '/v1/denoise' }).count()).toBe(1);
  });

  it('shows the picture that an answer is', async () => {
    const operation = await tryOut('/v1/denoise');
    await operation.locator('input[type=file]').setInputFiles('docs/samples/clean.jpg');
    await operation.locator('button.execute').click();
    const picture = operation.locator('.live-responses-table img');
    await picture.waitFor();
    expect(await statusOf(operation)).toContain('200');
    await expect
      .poll(() => page.evaluate(`document.querySelector('.live-responses-table img').naturalWidth`))
      .toBe(640);
  });

  it.each(['light', 'dark'] as const)(
    'violates no rule of accessibility, %s, with an answer shown',
    async (colorScheme) => {
      // What Swagger UI does when the page is loaded.
      await page.evaluate(
        `document.documentElement.classList.toggle('dark-mode', ${colorScheme === 'dark'})`,
      );
      // Colours fade.
      await page.evaluate(
        `Promise.allSettled(document.getAnimations().map(({ finished }) => finished))`,
      );
      expect(await visit.violations()).toEqual([]);
    },
  );

  it.each(['/v1/recover', '/v1/few-shot', '/v1/tensor'])(
    'answers the example of %s as it stands',
    async (path) => {
      const operation = await tryOut(path);
      await operation.locator('button.execute').click();
      await operation.locator('.live-responses-table').waitFor();
      expect(await statusOf(operation)).toContain('200');
    },
  );

  it('has an example for every task that takes JSON; each is answered', async () => {
    const { url } = visit.service;
    const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApi;
    const answers: [string, number][] = [];
    for (const [path, methods] of Object.entries(paths))
      for (const [type, { example }] of Object.entries(methods['post']?.requestBody?.content ?? {}))
        if (example !== undefined) {
          const body = JSON.stringify(example);
          const answer = await fetch(url + path, {
            method: 'POST',
            headers: { 'content-type': type },
            body,
          });
          answers.push([path, answer.status]);
        }
    expect(answers.sort()).toEqual([
      ['/v1/few-shot', 200],
      ['/v1/recover', 200],
      ['/v1/tensor', 200],
    ]);
  });

  it('fits on a phone', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    const [wide, seen] = await page.evaluate<[number, number]>(
      '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
    );
    expect(wide).toBeLessThanOrEqual(seen);
  });

  it('gave the console nothing to complain of', () => {
    expect([complaints, visit.errors]).toEqual([[], []]);
  });
});
