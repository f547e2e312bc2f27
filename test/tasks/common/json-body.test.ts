import Type from 'typebox';
import { describe, expect, it } from 'vitest';
import { Problem } from '../../../src/errors.ts';
import { jsonReader } from '../../../src/tasks/common/json-body.ts';
import { cpuMs } from '../../support/cpu-ms.ts';

const vector = Type.Array(Type.Number());
const reader = jsonReader(
  Type.Object({ rows: Type.Union([vector, Type.Array(vector)]), more: Type.Optional(vector) }),
);

function refusal(text: string): { code: string; message: string; ms: number } {
  const started = cpuMs();
  try {
    reader.read({
      task: 'any',
      contentType: 'application/json',
      body: Buffer.from(text),
      stopping: {},
      options: {},
    });
  } catch (error) {
    const { code, message } = error as Problem;
    return { code, message, ms: cpuMs() - started };
  }
  throw new Error('It was taken.');
}

describe('JSON bodies', () => {
  it.each([
    ['a late text', `{"rows":[${'1,'.repeat(400_000)}"a"]}`, /^rows\[400000\] must be a number/],
    ['a late vector', `{"rows":[${'1,'.repeat(1000)}[1]]}`, /^rows\[1000\] must be a number/],
    [
      'a late number',
      `{"rows":[${'[1],'.repeat(400_000)}5]}`,
      /^rows\[0\] must be a number, not an array/,
    ],
    ['an early text', `{"rows":["a"${',1'.repeat(1000)}]}`, /^rows\[0\] must be a number/],
    ['objects', `{"rows":[${'{},'.repeat(400_000)}1]}`, /^rows\[0\] must be a/],
    ['another field', `{"rows":[1],"more":[${'1,'.repeat(700)}null]}`, /^more\[700\] must be a/],
  ])('with %s: named by its place, in less than three seconds', (_, text, sentence) => {
    const { message, ms } = refusal(text);
    expect(message).toMatch(sentence);
    expect(ms).toBeLessThan(3000);
  });

  it('are refused before they are parsed where they nest or hold too much', () => {
    const nested = (depth: number): string => `{"rows":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(refusal(nested(64))).toMatchObject({
      code: 'bad-body',
      message: expect.stringMatching(/64 deep/) as string,
    });
    expect(refusal(nested(63)).message).not.toMatch(/deep/);
    expect(refusal(nested(1e6)).ms).toBeLessThan(100);
    const keys = Array.from({ length: 10_001 }, (_, i) => `"k${i}":1`).join(',');
    expect(refusal(`{${keys}}`)).toMatchObject({
      code: 'too-large',
      message: expect.stringContaining('10000 keys') as string,
    });
    const many = refusal(`{"rows":[${'1,'.repeat(2 ** 23)}1]}`);
    expect(many).toMatchObject({
      code: 'too-large',
      message: expect.stringContaining('8388608 values') as string,
    });
    expect(many.ms).toBeLessThan(2000);
  });

  it('may hold brackets, commas and quotes in their texts', () => {
    const text = JSON.stringify(`\\"${'[{,:'.repeat(200_000)}`);
    expect(refusal(`{"rows":${text}}`).message).toMatch(/^rows must be/);
  });
});
