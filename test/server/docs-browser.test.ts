/** Swagger UI at `/docs` in Debian's Chromium: the few-shot form with several labels, as its user would send it. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { smallFewShot, writeModels } from '../support/small.ts';
import { stripes } from './stripes.ts';
import { startSmallService, type SmallService } from './support.ts';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
if (!executablePath) console.warn('/docs is not tried: there is no Chromium in /usr/bin.');

const WAIT = 60_000;

describe.skipIf(!executablePath)('/docs in a browser', { timeout: 2 * WAIT }, () => {
  let service: SmallService;
  let browser: Browser;
  let page: Page;
  let folder: string;

  beforeAll(async () => {
    service = await startSmallService({ modelsDir: await writeModels([smallFewShot()]) });
    await service.app.listen({ port: 0, host: '127.0.0.1' });
    folder = await mkdtemp(join(tmpdir(), 'docs-'));
    for (const isAcross of [true, false])
      await writeFile(join(folder, isAcross ? 'across.png' : 'down.png'), await stripes(isAcross));
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] });
    page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
    page.setDefaultTimeout(WAIT);
  }, 2 * WAIT);
  afterAll(async () => {
    await browser?.close();
    await service?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('sends a few-shot form with several labels', async () => {
    const { port } = service.app.server.address() as AddressInfo;
    await page.goto(`http://127.0.0.1:${port}/docs/`);
    const route = page.locator('#operations-tasks-few-shot');
    await route.locator('.opblock-summary').click();
    await route.getByRole('button', { name: 'Try it out' }).click();
    await route.locator('.opblock-section-request-body select').selectOption('multipart/form-data');
    // The first item of each list is there already.
    const fill = async (name: string, values: readonly string[]): Promise<void> => {
      const field = route.locator(`[data-property-name="${name}"]`);
      for (const [i, value] of values.entries()) {
        if (i > 0) await field.getByRole('button', { name: /^Add/ }).click();
        const item = field.locator('input').nth(i);
        await (name === 'label'
          ? item.fill(value)
          : item.setInputFiles(join(folder, `${value}.png`)));
      }
    };
    await fill('support', ['across', 'down']);
    await fill('label', ['across, wide', 'down']);
    await fill('query', ['down', 'across', 'down']);
    const [answer] = await Promise.all([
      page.waitForResponse((one) => one.url().includes('/v1/few-shot')),
      route.getByRole('button', { name: 'Execute' }).click(),
    ]);
    const body = (await answer.json()) as { predictions: { label: string }[] };
    expect(answer.status(), JSON.stringify(body)).toBe(200);
    expect(body).toMatchObject({ labels: ['across, wide', 'down'] });
    expect(body.predictions.map(({ label }) => label)).toEqual(['down', 'across, wide', 'down']);
  });
});
