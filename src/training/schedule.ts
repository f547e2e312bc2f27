/** Learning rates as functions of progress, 0 at the start and 1 at the end. */
export type Schedule = (progress: number) => number;

/** A linear warm-up to `peak`, then half a cosine down to `peak · floor` (Loshchilov & Hutter 2017). */
export function cosine(peak: number, { warmup = 0.01, floor = 0.01 } = {}): Schedule {
  return (progress) => {
    if (progress < warmup) return (peak * (progress + 1e-3)) / (warmup + 1e-3);
    const phase = Math.min((progress - warmup) / (1 - warmup), 1);
    return peak * (floor + ((1 - floor) * (1 + Math.cos(Math.PI * phase))) / 2);
  };
}
