// Preloaded into the service: the wall clock jumps back and forth by a day, and worker processes start in another day.
const DAY = 86_400_000;
const now = Date.now.bind(Date);
let offset = 0;
setInterval(() => (offset = offset === DAY ? -DAY : DAY), 20).unref();
Date.now = () => now() + offset;

if (process.send) {
  const origin = performance.timeOrigin;
  Object.defineProperty(performance, 'timeOrigin', { get: () => origin + DAY });
}
