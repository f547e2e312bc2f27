/** Traces of the traffic in which each layer is said to take a millisecond: layers this small take no time that could be told from noise. */
import type * as tracing from '../../src/evaluation/trace-traffic.ts';

/** The module with its times replaced; for `vi.mock`. */
export function withOneMs(module: typeof tracing): typeof tracing {
  return {
    ...module,
    traceTraffic: async (...args) =>
      (await module.traceTraffic(...args)).map((one) => ({
        ...one,
        ms: one.ms.map((_, exit) => exit + 1),
      })),
  };
}
