import { describe, expect, it } from 'vitest';
import { readConfig } from '../src/config.ts';

describe('the configuration', () => {
  it('lists the choices where there are some', () => {
    expect(readConfig({}).variants).toBe('auto');
    expect(readConfig({ VARIANTS: 'float' }).variants).toBe('float');
    expect(() => readConfig({ VARIANTS: 'int8' })).toThrow(/VARIANTS .*: auto, float\.$/);
  });

  it('has a default for everything, and leaves other variables alone', () => {
    expect(readConfig({ PATH: '/bin' })).toMatchObject({
      port: 8080,
      host: '0.0.0.0',
      modelsDir: 'models',
      provider: 'auto',
      maxPending: 1024,
    });
  });

  it('reads what is set; empty is not set; workers and threads stay within the cores', () => {
    const config = readConfig({
      PORT: '0',
      WORKERS: '3',
      INTRA_OP_THREADS: '1',
      SHED_DEPTH: 'false',
      LOG_LEVEL: '',
      MAX_PIXELS: '5000',
    });
    expect(config).toMatchObject({
      port: 0,
      workers: 3,
      shed: false,
      logLevel: 'info',
      maxPixels: 5000,
    });
    expect(readConfig({ INTRA_OP_THREADS: '256' }).workers).toBe(1);
  });

  it.each([
    ['PORT', '99999'],
    ['PORT', 'http'],
    ['EXECUTION_PROVIDER', 'tpu'],
    ['VARIANTS', 'int8'],
    ['MAX_PENDING', '0'],
    ['DRAIN_DELAY', '-1'],
    ['SHADOW_SHARE', '1.5'],
    ['LOG_LEVEL', 'loud'],
  ])('refuses %s=%s with a sentence that names it', (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(new RegExp(`not valid: .*${name}`));
  });
});
