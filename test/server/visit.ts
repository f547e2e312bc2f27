/** A visit to the service's pages: Debian's Chromium, and a service with shipped models. */
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { startProcess, type Process } from '../service/process.ts';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
if (!executablePath) console.warn('The page is not tried: there is no Chromium in /usr/bin.');
/** Whether there is no browser, so that these tests are left out. */
export const noBrowser = executablePath === undefined;

/** How long anything may take, ms. */
export const WAIT = 60_000;
/** A default for each task, and the gray denoiser, which is the fastest. */
export const MODELS = [
  ...['denoise-color-traffic', 'denoise-gray-traffic', 'sparse-recovery'],
  ...['few-shot-omniglot', 'recognize-cifar100'],
];
export const TABS = ['denoise', 'recover', 'few-shot', 'recognize'];
/** A name that only the browser resolves, to this machine. Over HTTP it is no secure context, as 127.0.0.1 is. */
export const OTHER_HOST = 'stopwise.test';

export interface VisitOptions {
  readonly models?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly context?: BrowserContextOptions;
}

/** A browser's page, its service, and what the tests of the page do with them. */
export class Visit {
  /** Errors of scripts, and what the Content-Security-Policy refused. */
  readonly errors: string[] = [];

  constructor(
    readonly service: Process,
    readonly browser: Browser,
    readonly page: Page,
    private readonly folder: string,
  ) {
    page.on('pageerror', ({ message }) => this.errors.push(message));
    page.on('console', (message) => {
      if (/Content Security Policy/.test(message.text())) this.errors.push(message.text());
    });
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.service.child.kill('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }

  status = (id: string) => this.page.locator(`#${id} [data-status]`);

  /** Waits for a status like this and gives it. */
  says = async (id: string, words: RegExp): Promise<string> => {
    await this.page
      .locator(`#${id} [data-status]`, { hasText: words })
      .waitFor()
      .catch(async (error: unknown) => {
        const said = await this.status(id).textContent();
        throw new Error(`${id} says “${said}”`, { cause: error });
      });
    return (await this.status(id).textContent()) ?? '';
  };

  fact = (id: string, term: string) =>
    this.page.locator(`#${id} [data-facts] div`, { hasText: term }).locator('dd');

  /** Moves a slider as its user would see it move. */
  slide = (selector: string, value: number) =>
    this.page.evaluate(`{
      const input = document.querySelector('${selector}');
      input.value = '${value}';
      input.dispatchEvent(new Event('input', { bubbles: true }));
    }`);

  /** The next request to a route whose query has this. */
  request = (route: string, query: string) =>
    this.page.waitForRequest(
      (one) => one.url().includes(`/v1/${route}?`) && one.url().includes(query),
    );

  /** Drops a file on an element. */
  drop = (selector: string, { name, type, bytes }: { name: string; type: string; bytes: Buffer }) =>
    this.page.evaluate(`{
      const bytes = Uint8Array.from(atob('${bytes.toString('base64')}'), (c) => c.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes], '${name}', { type: '${type}' }));
      document.querySelector('${selector}').dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
    }`);

  /** Rules of accessibility that the page violates: rule, impact and the first element. */
  async violations(): Promise<{ id: string; impact: string; html: string | undefined }[]> {
    const { violations } = await this.page.evaluate<{
      violations: { id: string; impact: string; nodes: { html: string }[] }[];
    }>('axe.run(document)');
    return violations.map(({ id, impact, nodes }) => ({ id, impact, html: nodes[0]?.html }));
  }
}

/** Starts a service with these models of the repository, and a browser with an empty page. */
export async function startVisit({ models = MODELS, env, context }: VisitOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'page-models-'));
  for (const name of models)
    await cp(join('models', name), join(folder, name), { recursive: true });
  const service = await startProcess({ MODELS_DIR: folder, ...env });
  const browser = await chromium.launch({
    executablePath: executablePath!,
    args: ['--no-sandbox', `--host-resolver-rules=MAP ${OTHER_HOST} 127.0.0.1`],
  });
  const page = await browser.newPage({
    viewport: { width: 1280, height: 900 },
    colorScheme: 'light',
    reducedMotion: 'reduce',
    ...context,
  });
  page.setDefaultTimeout(WAIT);
  const require = createRequire(import.meta.url);
  await page.addInitScript({ content: readFileSync(require.resolve('axe-core'), 'utf8') });
  return new Visit(service, browser, page, folder);
}
