// hrtime counts from the same moment, such as the start of the machine, in every process; performance.now() is cheaper. Time that
// passes between the two calls makes the difference too small, so the largest of some is taken.
const origin = Math.max(
  ...Array.from({ length: 16 }, () => Number(process.hrtime.bigint()) / 1e6 - performance.now()),
);

/** Milliseconds, the same in every thread and process of a machine. It does not follow the wall clock where that is set. */
export const clock = (): number => origin + performance.now();
