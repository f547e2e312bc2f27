/** Only the newest call counts: it aborts the one before, whose answer and error are dropped. */

/**
 * @param work an async function that takes an AbortSignal, then what `now` was called with
 * @param failed takes its error, unless a newer call has begun
 * @param delay how long `soon` waits for further changes, ms
 */
export function latest(work, failed, delay = 150) {
  let controller;
  let timer;
  const stop = () => {
    clearTimeout(timer);
    controller?.abort();
  };
  const now = async (...given) => {
    stop();
    const { signal } = (controller = new AbortController());
    try {
      await work(signal, ...given);
    } catch (error) {
      if (!signal.aborted) failed(error);
    }
  };
  const soon = () => {
    stop();
    timer = setTimeout(now, delay);
  };
  return { now, soon, stop };
}
