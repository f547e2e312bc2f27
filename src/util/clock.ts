/** Milliseconds since the epoch, finer than Date.now() and the same in every thread and process. */
export const clock = (): number => performance.timeOrigin + performance.now();
