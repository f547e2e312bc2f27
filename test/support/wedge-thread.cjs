// Preloaded into the service: one worker thread blocks for ever once the file that WEDGE names exists.
const { existsSync, unlinkSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');

if (!isMainThread)
  setInterval(() => {
    if (!existsSync(process.env.WEDGE)) return;
    try {
      unlinkSync(process.env.WEDGE);
    } catch {
      return; // another thread was first
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }, 50).unref();
