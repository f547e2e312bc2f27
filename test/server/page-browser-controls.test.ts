/** The page's controls in Debian's Chromium: pasted and dropped pictures, every slider and list, slow networks, less motion. */
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MODELS, noBrowser, startVisit, WAIT, type Visit } from './visit.ts';

/** The slider of the threshold or the tolerance, and that of the depth. */
const LIMIT = (id: string) => `#${id} [data-stopping] label:nth-of-type(2) input`;
const DEPTH = (id: string) => `#${id} [data-stopping] label:last-child input`;
const ANSWERED = /^Stopped after|^Left as/;

describe.skipIf(noBrowser)("the page's controls in a browser", { timeout: 3 * WAIT }, () => {
  let visit: Visit;
  let page: Page;
  beforeAll(async () => {
    visit = await startVisit({
      // It has no calibration table, so that its control is the threshold.
      models: [...MODELS, 'denoise-gray'],
      context: { permissions: ['clipboard-read', 'clipboard-write'] },
    });
    ({ page } = visit);
    await page.goto(visit.service.url);
    await visit.says('denoise', ANSWERED);
  }, 4 * WAIT);
  afterAll(() => visit?.close());

  const number = async (id: string, term: string) => {
    const words = (await visit.fact(id, term).textContent())!;
    return Number(/[−\d.]+/.exec(words)![0].replace('−', '-'));
  };
  /** A picture of the page as a PNG. */
  const drawn = (name: string) => sharp(`public/pictures/${name}.svg`).resize(200).png().toBuffer();
  const chosen = (id: string) =>
    page.locator(`#${id} [data-sample] option:checked`, { hasText: 'your picture' });
  /** Makes a change, by which the page sends a request that has this in its query, and gives that query. */
  const after = async (route: string, has: string, change: () => Promise<unknown>) => {
    const [sent] = await Promise.all([visit.request(route, has), change()]);
    return new URL(sent.url()).searchParams;
  };
  /** The picture that was sent, with its noise. */
  const sentPicture = () =>
    page.evaluate<string>(`{
      const image = document.querySelector('#denoise img.before');
      const canvas = document.createElement('canvas');
      Object.assign(canvas, { width: image.naturalWidth, height: image.naturalHeight });
      canvas.getContext('2d').drawImage(image, 0, 0);
      canvas.toDataURL();
    }`);

  it('takes a picture that is pasted', async () => {
    const picture = readFileSync('docs/samples/characters/anchor-1.png').toString('base64');
    await page.evaluate(`(async () => {
      const bytes = Uint8Array.from(atob('${picture}'), (c) => c.charCodeAt(0));
      await navigator.clipboard.write([new ClipboardItem({ 'image/png': new Blob([bytes], { type: 'image/png' }) })]);
    })()`);
    await page.locator('#denoise h2').click();
    await Promise.all([visit.request('denoise', ''), page.keyboard.press('Control+v')]);
    await visit.says('denoise', ANSWERED);
    expect(await chosen('denoise').count()).toBe(1);
    expect(await page.locator('#denoise [data-noise-said]').textContent()).toBe('none');
    const shown = `document.querySelector('#denoise img.before').naturalWidth`;
    expect(await page.evaluate(shown)).toBe(
      (await sharp('docs/samples/characters/anchor-1.png').metadata()).width,
    );
  });

  it('sends the accepted loss, and says what is promised for it', async () => {
    await page.selectOption('#denoise [data-sample]', 'color');
    await visit.says('denoise', ANSWERED);
    const seen: [string, string][] = [];
    for (const step of [0, 3]) {
      const change = () => visit.slide(LIMIT('denoise'), step);
      const tolerance = (await after('denoise', 'tolerance=', change)).get('tolerance')!;
      await visit.says('denoise', ANSWERED);
      expect(await page.getAttribute(LIMIT('denoise'), 'aria-valuetext')).toBe(
        `${tolerance}\u00a0dB`,
      );
      seen.push([tolerance, (await visit.fact('denoise', 'Promise').textContent())!]);
    }
    const { calibration } = JSON.parse(
      readFileSync('models/denoise-color-traffic/manifest.json', 'utf8'),
    ) as { calibration: { rows: { tolerance: number; guaranteed: boolean }[] } };
    const rows = calibration.rows.toSorted((a, b) => a.tolerance - b.tolerance);
    const promises = [rows[0]!, rows[3]!].map(({ tolerance, guaranteed }) => [
      `${tolerance}`,
      guaranteed
        ? `95 % of such requests lose at most ${tolerance}\u00a0dB`
        : `none is certified at ${tolerance}\u00a0dB`,
    ]);
    expect(seen).toEqual(promises);
  });

  it("tries one's own picture at other thresholds, and says what π is", async () => {
    const said = page.locator('#denoise [data-pi-said]');
    expect(await said.textContent()).toMatch(/above 0\.5/);
    const name = 'own.png';
    const picture = await sharp('docs/samples/clean.jpg').resize(192).grayscale().png().toBuffer();
    const input = page.locator('#denoise [data-file]');
    await input.setInputFiles({ name, mimeType: 'image/png', buffer: picture });
    await visit.says('denoise', ANSWERED);
    await after('denoise', 'model=denoise-gray', () =>
      page.selectOption('#denoise [data-model]', 'denoise-gray'),
    );
    expect(await said.textContent()).toMatch(/probability/);
    const { exits } = JSON.parse(readFileSync('models/denoise-gray/manifest.json', 'utf8')) as {
      exits: number[];
    };
    // π is between 0 and 1: at 0 the first exit answers, at 1 the last.
    for (const [threshold, depth] of [
      [1, exits.at(-1)],
      [0, exits[0]],
    ]) {
      const change = () => visit.slide(LIMIT('denoise'), threshold!);
      const query = await after('denoise', 'threshold=', change);
      expect(query.get('threshold')).toBe(`${threshold}`);
      expect(await visit.says('denoise', new RegExp(`^Stopped after ${depth} of`))).toMatch(
        threshold === 1 ? /last exit/ : /policy was sure/,
      );
    }
    expect(await page.locator('#denoise [data-download]').getAttribute('download')).toBe(
      'own-denoised.png',
    );
  });

  it('adds each kind of noise, the same at every try', async () => {
    await page.selectOption('#denoise [data-sample]', 'gray');
    await visit.says('denoise', ANSWERED);
    const pictures: string[] = [];
    for (const kind of ['camera', 'grain', 'independent', 'camera']) {
      await page.selectOption('#denoise [data-noise-kind]', kind);
      await page.locator('#denoise [data-status]', { hasText: 'Working' }).waitFor();
      await visit.says('denoise', ANSWERED);
      pictures.push(await sentPicture());
    }
    const [camera, grain, independent, again] = pictures;
    expect(new Set([camera, grain, independent]).size).toBe(3);
    expect(again).toBe(camera);
  });

  it('recovers signals of any sparsity from noisier measurements, and others by the button', async () => {
    await page.click('#tab-recover');
    await visit.says('recover', /Recovered to/);
    const errors: number[] = [];
    for (const snr of [10, 60]) {
      await after('recover', 'tolerance=', () => visit.slide('#recover [data-snr]', snr));
      await page.locator('#recover [data-measured-said]', { hasText: `at ${snr} dB` }).waitFor();
      await visit.says('recover', /Recovered to/);
      errors.push(await number('recover', 'NMSE'));
    }
    expect(errors[0]! - errors[1]!).toBeGreaterThan(15);
    const counts: number[] = [];
    for (const share of [2, 20]) {
      await after('recover', 'tolerance=', () => visit.slide('#recover [data-sparsity]', share));
      await visit.says('recover', /Recovered to/);
      counts.push(await number('recover', 'Nonzero'));
    }
    expect(counts[0]).toBeLessThan(25);
    expect(counts[1]).toBeGreaterThan(60);
    const signal = () => page.getAttribute('#recover [data-signal] path.true', 'd');
    const before = await signal();
    await after('recover', 'tolerance=', () => page.click('#recover [data-random]'));
    expect(await signal()).not.toBe(before);
  });

  it('takes as many gradient steps as are asked for', async () => {
    await page.click('#tab-few-shot');
    await visit.says('few-shot', /It is “anchor”/);
    for (const [step, words] of [
      [1, /after 1 gradient step of at most 3/],
      [3, /after 3 gradient steps of at most 3/],
    ] as const) {
      await after('few-shot', `rule=fixed&depth=${step}`, () =>
        visit.slide(DEPTH('few-shot'), step),
      );
      expect(await visit.says('few-shot', words)).toContain('anchor');
      const layers = page.locator('#few-shot .layers i.run');
      expect(await layers.count()).toBe(step);
    }
  });

  it('recognizes a file and a dropped picture', async () => {
    await page.click('#tab-recognize');
    await visit.says('recognize', /“orange”/);
    const buffer = await drawn('sunflower');
    const file = { name: 'flower.png', mimeType: 'image/png', buffer };
    await page.locator('#recognize [data-file]').setInputFiles(file);
    await visit.says('recognize', /“sunflower”/);
    expect(await chosen('recognize').count()).toBe(1);
    const bytes = await drawn('bottle');
    await visit.drop('#recognize', { name: 'b.png', type: 'image/png', bytes });
    await visit.says('recognize', /“bottle”/);
    const notes = { name: 'notes.txt', type: 'text/plain', bytes: Buffer.from('no picture') };
    await visit.drop('#recognize', notes);
    await visit.says('recognize', /notes\.txt is not a picture/);
    expect(await page.locator('#recognize [data-scores] li').count()).toBe(0);
  });

  it('draws how deep the requests went, as the metrics count them', async () => {
    const card = page.locator('#live article', { hasText: 'few-shot-omniglot' });
    const counts = async () => {
      const text = await (await fetch(`${visit.service.url}/metrics`)).text();
      const upTo = (depth: number) =>
        Number(
          new RegExp(
            `stopwise_stop_depth_bucket\\{le="${depth}",model="few-shot-omniglot"\\} (\\d+)`,
          ).exec(text)![1],
        );
      return [0, 1, 2, 3].map((depth) => upTo(depth) - (depth > 0 ? upTo(depth - 1) : 0));
    };
    const want = await counts();
    expect(want[1]).toBeGreaterThan(0);
    const label = want
      .flatMap((count, depth) => (count > 0 ? [`${count} at depth ${depth}`] : []))
      .join(', ');
    await card.locator(`svg[aria-label="Samples by depth: ${label}."]`).waitFor();
    const bars = await card.locator('rect.bar').all();
    const heights = await Promise.all(
      bars.map(async (bar) => Number(await bar.getAttribute('height'))),
    );
    const most = Math.max(...want);
    expect(heights.map((height) => (height * most) / Math.max(...heights))).toEqual(
      want.map((count) => expect.closeTo(count, 5) as number),
    );
  });

  it('shows progress over a slow network, where the last answer wins', async () => {
    await page.click('#tab-denoise');
    await page.selectOption('#denoise [data-model]', 'denoise-gray-traffic');
    await visit.says('denoise', ANSWERED);
    const network = await page.context().newCDPSession(page);
    await network.send('Network.enable');
    const speed = { downloadThroughput: 60_000, uploadThroughput: 60_000 };
    await network.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: 400,
      ...speed,
    });
    await page.selectOption('#denoise [data-sample]', 'gray');
    expect(await visit.status('denoise').textContent()).toBe('Loading …');
    await visit.says('denoise', ANSWERED);
    await page.evaluate(`{
      globalThis.said = [];
      const status = document.querySelector('#denoise [data-status]');
      new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true });
    }`);
    await Promise.all([visit.request('denoise', 'depth=4'), visit.slide(DEPTH('denoise'), 1)]);
    expect(await visit.status('denoise').textContent()).toBe('Working …');
    expect(await page.getAttribute('#denoise .compare', 'aria-busy')).toBe('true');
    await Promise.all([visit.request('denoise', 'depth=8'), visit.slide(DEPTH('denoise'), 2)]);
    await visit.says('denoise', /^Stopped after 8 of/);
    expect(await page.getAttribute('#denoise .compare', 'aria-busy')).toBe('false');
    expect(await page.evaluate<string[]>('said')).not.toContainEqual(
      expect.stringMatching(/after 4 of/),
    );
    expect(await page.locator('#denoise .tile').first().textContent()).toBe('depth 8');
    await network.send('Network.emulateNetworkConditions', {
      ...{ offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 },
    });
    await network.detach();
  });

  it('fades nothing where less motion is preferred', async () => {
    await page.click('#tab-denoise');
    await page.evaluate(`{
      globalThis.fades = 0;
      document.addEventListener('transitionrun', () => globalThis.fades++);
    }`);
    const fades = async (reducedMotion: 'reduce' | 'no-preference', step: number) => {
      await page.emulateMedia({ reducedMotion });
      await page.evaluate('globalThis.fades = 0');
      await after('denoise', 'depth=', () => visit.slide(DEPTH('denoise'), step));
      await visit.says('denoise', ANSWERED);
      return page.evaluate<number>('globalThis.fades');
    };
    expect(await fades('reduce', 1)).toBe(0);
    expect(await fades('no-preference', 2)).toBeGreaterThan(0);
    expect(await fades('reduce', 3)).toBe(0);
  });

  it('ran without errors of scripts', () => {
    expect(visit.errors).toEqual([]);
  });
});
