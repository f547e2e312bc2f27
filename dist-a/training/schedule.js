/** A short linear warm-up to `peak`, then half a cosine down to `peak · floor` (Loshchilov & Hutter 2017). */
export function cosine(peak, { warmup = 0.01, floor = 0.01 } = {}) {
    return (progress) => {
        if (progress < warmup)
            return (peak * (progress + 1e-3)) / (warmup + 1e-3);
        const phase = Math.min((progress - warmup) / (1 - warmup), 1);
        return peak * (floor + ((1 - floor) * (1 + Math.cos(Math.PI * phase))) / 2);
    };
}
//# sourceMappingURL=schedule.js.map