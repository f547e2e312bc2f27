import { describe, expect, it } from 'vitest';
import { MOST_ROWS } from '../../../src/tasks/sparse-recovery/serve.ts';
import type { TaskRequest } from '../../../src/tasks/task.ts';
import { problem } from '../fixtures.ts';
import { json, M, models, npy, raw, recover, request } from './requests.ts';

describe('recover refuses', () => {
  const body = (text: string): TaskRequest => request('application/json', Buffer.from(text));

  it.each([
    ['no body', body(''), 'bad-body', /not JSON/],
    ['JSON that is not JSON', body('{"measurements": [1, NaN, 2]}'), 'bad-body', /not JSON/],
    [
      'bytes that are not UTF-8',
      request('application/json', Uint8Array.of(0x22, 0xff, 0x22)),
      'bad-body',
      /not JSON/,
    ],
    ['an array', json([1, 2, 3]), 'bad-body', /must be a JSON object \{measurements/],
    ['no measurements', json({}), 'bad-measurements', /needs measurements/],
    ['an unknown key', json({ measurements: [1, 2, 3], seed: 4 }), 'bad-body', /field seed/],
    [
      'an unknown stopping key',
      json({ measurements: [1, 2, 3], stopping: { dpeth: 4 } }),
      'bad-parameter',
      /"dpeth"/,
    ],
    [
      'a model that is no string',
      json({ measurements: [1, 2, 3], model: 4 }),
      'bad-parameter',
      /model must be a string/,
    ],
    [
      'an unknown model',
      json({ measurements: [1, 2, 3], model: 'lista' }),
      'unknown-model',
      /no model lista.*sparse-recovery/,
    ],
    [
      'a model of another task',
      json({ measurements: [1, 2, 3], model: 'denoise-gray' }),
      'wrong-task',
      /denoise-gray is a model for denoise/,
    ],
    [
      'a wrong length',
      json({ measurements: [1, 2] }),
      'bad-measurements',
      /has 2 measurements; this model takes 3/,
    ],
    [
      'a wrong length in one row',
      json({
        measurements: [
          [1, 2, 3],
          [1, 2, 3, 4],
        ],
      }),
      'bad-measurements',
      /Vector 1 has 4 .* takes 3/,
    ],
    ['0 rows', json({ measurements: [] }), 'bad-measurements', /empty/],
    ['an empty row', json({ measurements: [[]] }), 'bad-measurements', /has 0 measurements/],
    [
      'a row among numbers',
      json({ measurements: [[1, 2, 3], 4] }),
      'bad-measurements',
      /measurements\[0\] must be a number, not an array/,
    ],
    [
      'rows within rows',
      json({ measurements: [[[1], 2, 3]] }),
      'bad-measurements',
      /measurements\[0\]\[0\] must be a number, not an array/,
    ],
    [
      'null',
      json({ measurements: [1, null, 3] }),
      'bad-measurements',
      /measurements\[1\] must be a number, not null/,
    ],
    [
      'text',
      json({ measurements: [1, '2', 3] }),
      'bad-measurements',
      /measurements\[1\] must be a number, not "2"/,
    ],
    [
      'infinity',
      body('{"measurements": [1, 1e999, 3]}'),
      'bad-measurements',
      /measurements\[1\] must be a number, not Infinity/,
    ],
    [
      'beyond float32',
      body('{"measurements": [1, 1e39, 3]}'),
      'bad-measurements',
      /finite float32/,
    ],
    [
      'a string',
      json({ measurements: 'AAAA' }),
      'bad-measurements',
      /must be an array, not "AAAA"/,
    ],
    [
      '100,000 rows',
      json({ measurements: new Array<number[]>(100_000).fill([1, 2, 3]) }),
      'too-large',
      /100000 vectors; send at most 4096/,
    ],
    [
      'an empty raw body',
      raw(new Float32Array(0)),
      'bad-measurements',
      /0 bytes.*3 little-endian float32, 12 bytes/,
    ],
    ['a raw body of no multiple', raw(new Float32Array(4)), 'bad-measurements', /16 bytes/],
    [
      'raw NaN',
      raw(Float32Array.of(1, 2, 3, 4, NaN, 6)),
      'bad-measurements',
      /Measurement 1 of vector 1 is NaN/,
    ],
    ['too many raw rows', raw(new Float32Array(M * (MOST_ROWS + 1))), 'too-large', /4097/],
    [
      'no .npy file',
      request('application/x-npy', Buffer.from('hello')),
      'bad-measurements',
      /not a \.npy array that can be read\. It does not begin/,
    ],
    [
      'a .npy of another length',
      npy([2, 4], new Float32Array(8)),
      'bad-measurements',
      /\(2, 4\); it must be \(3,\) or \(N, 3\)/,
    ],
    [
      'a .npy that looks transposed',
      npy([3, 2], new Float32Array(6)),
      'bad-measurements',
      /\(3, 2\).*transposed: send its \.T/,
    ],
    ['a .npy of rank 3', npy([1, 1, 3], new Float32Array(3)), 'bad-measurements', /\(1, 1, 3\)/],
    ['a .npy number', npy([], new Float32Array(1)), 'bad-measurements', /shape is \(\)/],
    ['a .npy of 0 rows', npy([0, 3], new Float32Array(0)), 'bad-measurements', /empty/],
    [
      'a .npy with infinity',
      npy([3], Float32Array.of(1, 2, -Infinity)),
      'bad-measurements',
      /-Infinity/,
    ],
    [
      'a .npy beyond float32',
      npy([3], Float64Array.of(1, 2, 1e300)),
      'bad-measurements',
      /finite float32/,
    ],
  ])('%s', async (_, of, code, sentence) => {
    const found = await problem(() => recover(of, models));
    expect([found.code, found.message]).toEqual([code, expect.stringMatching(sentence)]);
    expect(found.message).not.toMatch(/\.\.$/);
  });
});
