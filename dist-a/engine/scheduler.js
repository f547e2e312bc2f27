/** Decides what runs next; a pure function of the queues and the clock. */
/** A long request is not set back further than this, ms. */
const SETBACK = 250;
/**
 * The request that has had the least compute goes first, and each millisecond of waiting makes up for one of compute:
 * small requests pass large ones, newcomers catch up with those ahead and share their batches, and nobody starves.
 * Among equals the deepest goes first, so that of a large request few samples are on their way at a time.
 * The batch holds the most urgent samples of that queue, up to its limit.
 */
export function pick(queues, now) {
    const urgency = ({ attained, since }) => now - since - Math.min(attained, SETBACK);
    let best;
    queues.forEach(({ waiting, segment }, queue) => {
        for (const sample of waiting) {
            const value = urgency(sample);
            if (!best || value > best.urgency || (value === best.urgency && segment > best.segment))
                best = { queue, urgency: value, segment };
        }
    });
    if (!best)
        return undefined;
    const { waiting, limit } = queues[best.queue];
    const batch = waiting.length <= limit ? waiting : [...waiting].sort((a, b) => urgency(b) - urgency(a)).slice(0, limit);
    return { queue: best.queue, batch };
}
//# sourceMappingURL=scheduler.js.map