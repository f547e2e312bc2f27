import { describe, expect, it } from 'vitest';
import { negotiate } from '../../src/server/negotiation.ts';

const offered = ['image/png', 'image/webp', 'application/json'];

describe('an Accept header', () => {
  it.each<[string, string | undefined, string[] | undefined]>([
    ['that is absent', undefined, undefined],
    ['that is blank', ' ', undefined],
    ['that takes anything', '*/*', offered],
    ['of axios, which takes anything as gladly', 'application/json, text/plain, */*', offered],
    ['that names a type', 'image/webp', ['image/webp']],
    ['that prefers one', 'image/webp, */*;q=0.1', ['image/webp']],
    ['that takes a kind', 'image/*', ['image/png', 'image/webp']],
    ['that takes a kind of which there is one', 'application/*', ['application/json']],
    ['that excludes one', 'image/png;q=0, image/*', ['image/webp']],
    ['in capitals, with spaces', ' IMAGE/PNG ; Q=0.5 , image/webp;q=0.4', ['image/png']],
    [
      'where the specific range counts, not the first',
      '*/*;q=0.9, image/png;q=0.2',
      offered.slice(1),
    ],
    ['with a q that is no number', 'image/png;q=x, image/webp;q=0.1', ['image/webp']],
  ])('%s', (_, accept, best) => {
    expect(negotiate(accept, offered)).toEqual(best);
  });

  it.each(['text/html', 'image/png;q=0', 'application/jsonp', 'audio/*'])(
    'that takes none is refused: %s',
    (accept) => {
      expect(() => negotiate(accept, offered)).toThrow(/None of .*image\/png, image\/webp/);
    },
  );
});
