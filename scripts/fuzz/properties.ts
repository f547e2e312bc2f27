/** Generated requests: every body and query that the types admit, and neighbours that they do not. */
import fc from 'fast-check';
import { writeNpy } from '../../src/codecs/npy.ts';
import type { Shot } from './seeds.ts';

const stopping = fc.record(
  {
    rule: fc.constantFrom('tolerance', 'threshold', 'fixed', 'sample', 'confidence', 'other'),
    threshold: fc.oneof(fc.double(), fc.double({ min: 0, max: 1 }), fc.string()),
    tolerance: fc.oneof(fc.double(), fc.constantFrom(0.05, 0.5, 1, 2)),
    seed: fc.oneof(fc.integer(), fc.double()),
    depth: fc.oneof(fc.integer({ min: 0, max: 16 }), fc.integer()),
    min_depth: fc.integer({ min: -1, max: 16 }),
    max_depth: fc.integer({ min: -1, max: 16 }),
    deadline_ms: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.double()),
    model: fc.constantFrom(
      'sparse-recovery',
      'denoise-gray',
      'denoise-color',
      'few-shot-omniglot',
      'x',
    ),
  },
  { requiredKeys: [] },
);

const queryText = stopping.map((values) => {
  const entries = Object.entries(values).map(([name, value]) => [name, String(value)]);
  const text = new URLSearchParams(
    Object.fromEntries(entries) as Record<string, string>,
  ).toString();
  return text === '' ? '' : `?${text}`;
});

const numbers = fc.oneof(
  fc.double(),
  fc.float(),
  fc.integer(),
  fc.constantFrom(0, -0, 1e300, 1e-300),
);
const vector = fc.oneof(
  fc.array(numbers, { minLength: 250, maxLength: 250 }),
  fc.array(fc.oneof(numbers, fc.constant(null), fc.string()), { maxLength: 300 }),
);

const json = fc.oneof(
  fc.record(
    { measurements: fc.array(vector, { maxLength: 3 }), stopping, model: fc.string() },
    { requiredKeys: ['measurements'] },
  ),
  fc.record({
    support: fc.array(fc.record({ label: fc.string(), image: fc.base64String() }), {
      maxLength: 4,
    }),
    query: fc.array(fc.base64String(), { maxLength: 3 }),
  }),
  fc.jsonValue({ maxDepth: 20 }),
);

const array = fc
  .record({
    shape: fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 3 }),
    value: fc.float(),
  })
  .filter(({ shape }) => shape.reduce((a, b) => a * b, 1) <= 80_000)
  .map(({ shape, value }) =>
    writeNpy({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value) }),
  );

const typed = fc.oneof(
  json.map((value) => ['application/json', Buffer.from(JSON.stringify(value))] as const),
  array.map((bytes) => ['application/x-npy', Buffer.from(bytes)] as const),
  fc
    .uint8Array({ maxLength: 4_000 })
    .map((bytes) => ['application/octet-stream', Buffer.from(bytes)] as const),
);

const shot: fc.Arbitrary<Shot> = fc
  .record({
    route: fc.constantFrom('recover', 'recover', 'few-shot', 'denoise', 'recognize'),
    query: queryText,
    body: typed,
    accept: fc.constantFrom(
      '*/*',
      'application/json',
      'application/x-npy',
      'image/*',
      'text/plain',
    ),
  })
  .map(({ route, query, body: [type, body], accept }) => ({
    method: 'POST',
    path: `/v1/${route}${query}`,
    headers: { 'content-type': type, accept },
    body,
  }));

/** So many generated requests; the same for the same seed. */
export const generated = (count: number, seed: number): Shot[] =>
  fc.sample(shot, { numRuns: count, seed });
