/** Milliseconds since the epoch, finer than Date.now() and the same in every thread. */
export const clock = () => performance.timeOrigin + performance.now();
//# sourceMappingURL=messages.js.map