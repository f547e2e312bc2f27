import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // The tests start workers of their own: more than two files at once only slow each other down.
    maxWorkers: 2,
  },
});
