// Preloaded into the service (node --require): sizes libuv's thread pool, in which image codecs run, by the number of workers.
// Node's loader of modules uses the pool, so a module that is imported comes too late to set it.
const { availableParallelism } = require('node:os');

/** Images decoded at a time in each worker. */
const DECODING = 2;
/** Node's own size, kept for everything else: file reads and name look-ups do not wait for codecs. */
const OTHERS = 4;

const threads = Number(process.env.INTRA_OP_THREADS) || 1;
const workers =
  Number(process.env.WORKERS) || Math.max(1, Math.floor(availableParallelism() / threads));
if (!process.env.UV_THREADPOOL_SIZE)
  process.env.UV_THREADPOOL_SIZE = String(DECODING * workers + OTHERS);
