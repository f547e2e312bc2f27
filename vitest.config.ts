import { defineConfig } from 'vitest/config';

/** Tests that start whole services, drive a browser, or train and measure models: minutes in all. `npm test -- --all` runs them too. */
const slow = [
  'test/{examples,scripts,service}/**/*.test.ts',
  'test/commands/{commands,commands-classes,few-data,train-matrix}.test.ts',
  'test/engine/{shadow,stuck}.test.ts',
  'test/engine/transport/processes.test.ts',
  'test/models.test.ts',
  'test/server/{docs-browser,faults-host,page-browser*}.test.ts',
  'test/tasks/toy/toy.test.ts',
];
/** Tests that replace modules, start workers whose threads outlive a test, or change the process: each file in a process of its own. */
const apart = ['test/{commands,engine}/**/*.test.ts', 'test/tasks/few-shot/cancel.test.ts'];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // The tests start workers of their own: more than two files at once only slow each other down.
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'slow', include: slow } },
      { extends: true, test: { name: 'apart', include: apart, exclude: slow } },
      // The others share their modules: loading them for each file would take a third of the time.
      {
        extends: true,
        test: {
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: [...apart, ...slow],
          isolate: false,
        },
      },
    ],
  },
});
