/** The page in Debian's Chromium against the service with shipped models: every task is tried as a visitor would. */
import { readFileSync } from 'node:fs';
import type { Page, Route } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noBrowser, startVisit, TABS, WAIT, type Visit } from './visit.ts';

describe.skipIf(noBrowser)('the page in a browser', { timeout: 3 * WAIT }, () => {
  let visit: Visit;
  let page: Page;
  beforeAll(async () => {
    visit = await startVisit({ env: { BASE_PATH: '/try' } });
    ({ page } = visit);
    await page.goto(`${visit.service.url}/try`);
  }, 4 * WAIT);
  afterAll(() => visit?.close());

  it('opens with a picture, its answer, and the time that was saved', async () => {
    expect(await visit.says('denoise', /^Stopped after|^Left as/)).toMatch(
      /of \d+ layers|needs nothing/,
    );
    await visit.fact('denoise', 'all layers').waitFor();
    const [before, after] = (await visit.fact('denoise', 'PSNR').textContent())!
      .match(/[\d.]+/g)!
      .map(Number);
    expect(after! - before!).toBeGreaterThan(5);
    const drawn = page.locator('#denoise [data-pi] svg');
    expect(await drawn.getAttribute('aria-label')).toMatch(/at depth \d+; the threshold is 0\.\d+/);
  });

  it('follows the sliders: noise, depth', async () => {
    await page.selectOption('#denoise [data-sample]', 'gray');
    const chosen = page.locator('#denoise [data-model] option:checked', { hasText: 'gray' });
    await chosen.waitFor({ state: 'attached' });
    await visit.says('denoise', /Stopped after/);
    const level = async () =>
      Number(/[\d.]+/.exec((await visit.fact('denoise', 'Noise found').textContent())!));
    expect(await level()).toBeGreaterThan(15);
    const [sent] = await Promise.all([
      visit.request('denoise', 'rule=fixed&depth=0'),
      visit.slide('#denoise [data-stopping] label:last-child input', 0),
    ]);
    expect(sent.headers().accept).toMatch(/^text\/event-stream/);
    await visit.says('denoise', /Left as it is/);
    await visit.slide('#denoise [data-noise]', 50);
    await page.locator('#denoise [data-noise-said]', { hasText: 'σ 50' }).waitFor();
    await page.locator('#denoise [data-facts]', { hasText: /14\.\d dB → 14\.\d dB/ }).waitFor();
    const download = page.locator('#denoise [data-download]');
    const [file] = await Promise.all([page.waitForEvent('download'), download.click()]);
    expect(file.suggestedFilename()).toBe('clean-denoised.png');
  });

  it('moves the border between before and after by keyboard', async () => {
    const handle = page.locator('#denoise .compare input');
    await handle.focus();
    await page.keyboard.press('Home');
    const at = `document.querySelector('#denoise .compare').style.getPropertyValue('--at')`;
    expect(await page.evaluate(at)).toBe('0%');
  });

  it('shows the last answer, also where an older one comes later', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const hold = async (route: Route): Promise<void> => {
      if (route.request().url().includes('depth=4')) await held;
      // The page has left a request that it aborted.
      await route.continue().catch(() => undefined);
    };
    await page.route('**/v1/denoise?*', hold);
    const slider = '#denoise [data-stopping] label:last-child input';
    await Promise.all([visit.request('denoise', 'depth=4'), visit.slide(slider, 1)]);
    await Promise.all([visit.request('denoise', 'depth=8'), visit.slide(slider, 2)]);
    const words = await visit.says('denoise', /Stopped after 8 of/);
    release();
    await page.waitForTimeout(500);
    expect((await visit.status('denoise').textContent())!.slice(0, 16)).toBe(words.slice(0, 16));
    expect(await page.locator('#denoise .tile').first().textContent()).toBe('depth 8');
    await page.unroute('**/v1/denoise?*', hold);
  });

  it('fills π in from events, and shows the error that ends them', async () => {
    const exit = (depth: number, pi: number) =>
      `event: exit\ndata: ${JSON.stringify({ sample: 0, depth, pi, threshold: 0.7, elapsed_ms: 1, stopped: false })}\n\n`;
    const problem = `event: error\ndata: {"status":503,"code":"draining","detail":"Shutting down."}\n\n`;
    let body = exit(4, 0.25) + exit(8, 0.5);
    const answer = (route: Route) => route.fulfill({ contentType: 'text/event-stream', body });
    await page.route('**/v1/denoise?*', answer);
    const seen: string[] = [];
    await page.exposeFunction('chartSaid', (label: string) => seen.push(label));
    await page.evaluate(
      `new MutationObserver(() => { const chart = document.querySelector('#denoise [data-pi] svg'); if (chart) chartSaid(chart.getAttribute('aria-label')); }).observe(document.querySelector('#denoise [data-pi]'), { childList: true })`,
    );
    await visit.slide('#denoise [data-stopping] label:last-child input', 3);
    await visit.says('denoise', /broke off/);
    expect(seen).toContain(
      'π after each exit: 0.25 at depth 4, 0.5 at depth 8; the threshold is 0.700.',
    );
    body += problem;
    await visit.slide('#denoise [data-stopping] label:last-child input', 2);
    await visit.says('denoise', /Shutting down/);
    await page.unroute('**/v1/denoise?*', answer);
  });

  it('clears the old answer where a file is no picture, and says what to do', async () => {
    await page.selectOption('#denoise [data-sample]', 'gray');
    await page.locator('#denoise .after:not([hidden])').waitFor();
    const input = page.locator('#denoise [data-file]');
    for (const [name, mimeType, words] of [
      ['notes.txt', 'text/plain', /notes\.txt is not a picture\. Choose a PNG/],
      ['broken.png', 'image/png', /broken\.png cannot be read: .*Choose a PNG/],
    ] as const) {
      await input.setInputFiles({ name, mimeType, buffer: Buffer.from('not a picture') });
      await visit.says('denoise', words);
      expect(await visit.status('denoise').getAttribute('class')).toContain('bad');
      expect(await page.locator('#denoise img:not([hidden])').count()).toBe(0);
      expect(
        await page.locator('#denoise [data-facts] div, #denoise svg, #denoise .tile').count(),
      ).toBe(0);
      expect(await page.locator('#denoise [data-download]').isVisible()).toBe(false);
    }
  });

  it('takes a dropped picture', async () => {
    const bytes = readFileSync('docs/samples/characters/anchor-1.png');
    await visit.drop('#denoise', { name: 'drawn.png', type: 'image/png', bytes });
    await visit.says('denoise', /^Stopped after|^Left as/);
    expect(await page.locator('#denoise [data-download]').getAttribute('download')).toBe(
      'drawn-denoised.png',
    );
  });

  it('recovers signals: random, at any scale, drawn by pointer and keyboard', async () => {
    // The arrow keys move between tabs.
    await page.locator('#tab-denoise').focus();
    await page.keyboard.press('ArrowRight');
    const error = async () =>
      Number(
        /[−\d.]+/.exec((await visit.fact('recover', 'NMSE').textContent())!)![0].replace('−', '-'),
      );
    await visit.says('recover', /Recovered to/);
    expect(await error()).toBeLessThan(-20);
    await Promise.all([
      page.waitForResponse(/v1\/recover/),
      visit.slide('#recover [data-scale]', 6),
    ]);
    await visit.says('recover', /Recovered to/);
    expect(await error()).toBeLessThan(-20);
    await page.click('#recover [data-blank]');
    await visit.says('recover', /Drag on the signal/);
    await page.keyboard.press('ArrowUp');
    await visit.says('recover', /Recovered to/);
    expect(await visit.fact('recover', 'Nonzero').textContent()).toMatch(/^1 of/);
    const box = (await page.locator('#recover [data-signal]').boundingBox())!;
    await page.mouse.click(box.x + box.width / 4, box.y + 20);
    await page.locator('#recover [data-facts]', { hasText: '2 of' }).waitFor();
    expect(await error()).toBeLessThan(-20);
    const chart = page.locator('#recover [data-errors] svg');
    expect(await chart.getAttribute('aria-label')).toMatch(/dB at depth 8, .*dB at depth 24/);
  });

  it('learns two drawn classes and names a third drawing', async () => {
    await page.click('#tab-few-shot');
    await visit.says('few-shot', /It is “anchor”/);
    await page.click('#few-shot [data-clear]');
    await visit.says('few-shot', /at least two classes/);
    const draw = async (pad: string, points: readonly (readonly [number, number])[]) => {
      const box = (await page.locator(pad).boundingBox())!;
      const place = ([x, y]: readonly [number, number]) =>
        [box.x + x * box.width, box.y + y * box.height] as const;
      await page.mouse.move(...place(points[0]!));
      await page.mouse.down();
      for (const point of points.slice(1)) await page.mouse.move(...place(point));
      await page.mouse.up();
    };
    const circle = Array.from(
      { length: 13 },
      (_, i) => [0.5 + 0.3 * Math.cos(i / 2), 0.5 + 0.3 * Math.sin(i / 2)] as const,
    );
    const zigzag = [
      [0.2, 0.2],
      [0.8, 0.3],
      [0.2, 0.6],
      [0.8, 0.8],
    ] as const;
    await draw('#few-shot [data-classes] .pad:nth-child(1) canvas', circle);
    await draw('#few-shot [data-classes] .pad:nth-child(2) canvas', zigzag);
    await visit.says('few-shot', /Now draw one/);
    // Small and in a corner: the page centres it.
    await draw(
      '#few-shot [data-query] canvas',
      zigzag.map(([x, y]) => [0.1 + 0.3 * x, 0.6 + 0.3 * y] as const),
    );
    expect(await visit.says('few-shot', /It is/)).toContain('“B”');
  });

  it('names a sample, with the class at each exit', async () => {
    await page.click('#tab-recognize');
    await visit.says('recognize', /It looks like “orange”/);
    const rows = page.locator('#recognize tbody tr');
    await rows.first().waitFor();
    expect(await rows.count()).toBe(7);
    expect(await page.locator('#recognize tbody tr.stopped').count()).toBe(1);
  });

  it('shows requests and depths of each model', async () => {
    await page.locator('#live article', { hasText: 'recognize-cifar100' }).waitFor();
    const words = await page.locator('#live article', { hasText: 'sparse-recovery' }).textContent();
    expect(words).toMatch(/\d+ answered, .*skipped/);
  });

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
    ['dark', 390],
  ] as const)('has no violation of accessibility: %s, %i px', async (colorScheme, width) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 844 });
    for (const id of TABS) {
      await page.click(`#tab-${id}`);
      expect([id, await visit.violations()]).toEqual([id, []]);
      expect([id, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([
        id,
        width,
      ]);
    }
  });

  it('ran without errors of scripts, and nothing was refused by the policy', () => {
    expect(visit.errors).toEqual([]);
  });
});
