/** Screenshots of the page and of /docs, for people to look at: `SCREENSHOTS=FOLDER npx vitest run test/server/page-browser-screenshots.test.ts`. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noBrowser, startVisit, TABS, WAIT, type Visit } from './visit.ts';

const folder = process.env['SCREENSHOTS'];
/** What says that a tab shows its last answer. */
const ANSWERED: Readonly<Record<string, string>> = {
  denoise: '#denoise [data-facts] dd:has-text("all layers")',
  recover: '#recover [data-errors] svg',
  'few-shot': '#few-shot [data-scores] li',
  recognize: '#recognize tbody tr',
};

describe.skipIf(noBrowser || !folder)('screenshots', { timeout: 3 * WAIT }, () => {
  let visit: Visit;
  beforeAll(async () => {
    await mkdir(folder!, { recursive: true });
    visit = await startVisit();
  }, 4 * WAIT);
  afterAll(() => visit?.close());

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
    ['dark', 390],
  ] as const)('%s, %i px', async (colorScheme, width) => {
    const { page, service } = visit;
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 844 });
    const shoot = (name: string) =>
      page.screenshot({
        path: join(folder!, `${name}-${colorScheme}-${width}.png`),
        fullPage: true,
      });
    await page.goto(service.url);
    await page.reload();
    for (const id of TABS) {
      await page.click(`#tab-${id}`);
      await page.locator(ANSWERED[id]!).first().waitFor();
      expect((await shoot(id)).length).toBeGreaterThan(10_000);
    }
    await page.goto(`${service.url}/docs`);
    await page.locator('.opblock').first().waitFor();
    await shoot('docs');
    await page.locator('.opblock-summary-control').first().click();
    await page.locator('.opblock .try-out__btn').click();
    await page.locator('.opblock.is-open').scrollIntoViewIfNeeded();
    expect((await shoot('docs-try')).length).toBeGreaterThan(10_000);
  });
});
