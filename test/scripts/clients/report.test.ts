import { describe, expect, it } from 'vitest';
import {
  closingLine,
  isGoodEnough,
  isStrict,
  type Outcome,
} from '../../../scripts/clients/report.ts';

const passed: Outcome = { name: 'a', state: 'passed' };
const failed: Outcome = { name: 'b', state: 'failed' };
const skipped: Outcome = { name: 'c', state: 'skipped', reason: 'no uv: offline' };

describe('the report of the client checks', () => {
  it('counts what passed, failed and was skipped, with names and reasons', () => {
    expect(closingLine([passed, passed])).toBe('2 client checks passed, 0 skipped');
    expect(closingLine([passed, skipped])).toBe(
      '1 client checks passed, 1 skipped: c (no uv: offline)',
    );
    const others: Outcome[] = [
      { ...skipped, name: 'd' },
      { ...skipped, name: 'e', reason: 'no curl' },
    ];
    expect(closingLine([skipped, failed, ...others, { ...failed, name: 'f' }])).toBe(
      '0 client checks passed, 2 failed: b, f, 3 skipped: c, d (no uv: offline); e (no curl)',
    );
  });

  it('takes skipped checks for failures only where it is strict, failed ones always', () => {
    expect(isGoodEnough([passed, skipped], false)).toBe(true);
    expect(isGoodEnough([passed, skipped], true)).toBe(false);
    expect(isGoodEnough([passed], true)).toBe(true);
    for (const strict of [true, false]) expect(isGoodEnough([passed, failed], strict)).toBe(false);
  });

  it('is strict when told so, and in CI where packages can be installed', () => {
    expect(isStrict(['node', 'run.mjs', '--strict'], {}, false)).toBe(true);
    expect(isStrict(['node', 'run.mjs'], { CI: 'true' }, true)).toBe(true);
    expect(isStrict(['node', 'run.mjs'], { CI: 'true' }, false)).toBe(false);
    expect(isStrict(['node', 'run.mjs'], {}, true)).toBe(false);
  });
});
