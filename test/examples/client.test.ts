import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSmallService, type SmallService } from '../server/support.ts';

let service: SmallService;
beforeAll(async () => {
  service = await startSmallService();
});
afterAll(() => service.close());

describe('examples/client.sh', () => {
  it('calls every route that the service documents', async () => {
    const script = await readFile('examples/client.sh', 'utf8');
    const { paths } = (await service.app.inject('/openapi.json')).json<{ paths: object }>();
    // A script names a parameter's value; versions are the same routes again.
    const routes = Object.keys(paths).filter((path) => !path.includes('/{version}'));
    expect(routes.length).toBeGreaterThan(20);
    const isCalled = (path: string): boolean => {
      const value = path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[\\w.-]+');
      return new RegExp(`(\\$url| )${value}(?=["? ;])`, 'm').test(script);
    };
    expect(routes.filter((path) => !isCalled(path))).toEqual([]);
  });
});
