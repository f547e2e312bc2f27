import { describe, expect, it } from 'vitest';
import { readConfig } from '../src/config.ts';

const secret = 'short-secret';

describe('settings of access', () => {
  it('are lists, with spaces and empty entries dropped', () => {
    const { access } = readConfig({
      API_TOKENS: ' aaaaaaaaaaaaaaaa, bbbbbbbbbbbbbbbb,',
      CORS_ORIGINS: 'https://Lab.example:8443',
      ALLOWED_HOSTS: 'A.example,[::1]',
      BASE_PATH: '/a/b/',
      MANAGEMENT_PORT: '9090',
    });
    expect(access).toEqual({
      apiTokens: ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb'],
      managementTokens: [],
      allowRepository: false,
      managementPort: 9090,
      corsOrigins: ['https://lab.example:8443'],
      allowedHosts: ['a.example', '[::1]'],
      basePath: '/a/b',
    });
  });

  it.each([
    [{ API_TOKENS: secret }, /^API_TOKENS: token 1 must have at least 16/],
    [{ MANAGEMENT_TOKENS: `${'a'.repeat(20)},${secret} ${secret}` }, /MANAGEMENT_TOKENS: token 2/],
    [{ CORS_ORIGINS: 'https://a.example/path' }, /CORS_ORIGINS/],
    [{ CORS_ORIGINS: 'a.example' }, /CORS_ORIGINS/],
    [{ ALLOWED_HOSTS: 'a.example:80' }, /ALLOWED_HOSTS/],
    [{ BASE_PATH: 'stopwise' }, /BASE_PATH/],
    [{ BASE_PATH: '/../x?y' }, /BASE_PATH/],
    [{ MANAGEMENT_PORT: '70000' }, /MANAGEMENT_PORT/],
    [{ DRAIN_TIMEOUT: '1e999' }, /DRAIN_TIMEOUT/],
  ])('%j is refused by name, without repeating a token', (env, says) => {
    expect(() => readConfig(env)).toThrow(says);
    try {
      readConfig(env);
    } catch (error) {
      expect((error as Error).message).not.toContain(secret);
    }
  });

  it('a blank variable counts as absent, also where a number is wanted', () => {
    expect(readConfig({ PORT: ' ', API_TOKENS: ' ' })).toMatchObject({
      port: 8080,
      access: { apiTokens: [] },
    });
  });
});
