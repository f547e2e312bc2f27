/** Runs one batch through one segment, and reads out the samples that stop there. */
import { outputName } from "../bundle/manifest.js";
import { floats } from "../runtime/session.js";
import { stops } from "../stopping/rule.js";
import { clock } from "./messages.js";
import { fromRow, stack } from "./rows.js";
/**
 * Runs the segment that the samples wait for.
 * @param cap the exit from which a loaded service ends samples
 */
export async function runSegment(model, batch, cap) {
    const at = batch[0].next;
    const segment = model.segments[at];
    const feeds = feedsFor(segment.reads, batch);
    const start = clock();
    const outputs = await segment.session.run(feeds);
    const ms = clock() - start;
    const pi = outputs.pi ? floats(outputs.pi) : undefined;
    const stopped = [];
    const going = [];
    batch.forEach((item, i) => {
        for (const name of segment.writes) {
            release(item.values[name]);
            item.values[name] = { tensor: outputs[outputName(name)], index: i };
        }
        item.next++;
        if (pi)
            item.pi.push(pi[i]);
        const reason = stops(item.rule, at, pi?.[i] ?? 0, cap);
        if (reason)
            stopped.push({ item, at, reason });
        else
            going.push(item);
    });
    return { stopped, going, ms };
}
/** The outputs of samples that stopped at one exit, handed to their jobs. Gives the ms the decoder took. */
export async function readOut(model, stopped) {
    const { manifest, decoders } = model;
    const exit = manifest.exits[stopped[0].at];
    const decoder = decoders.get(exit);
    const start = clock();
    const decoded = await decoder?.session.run(feedsFor(decoder.reads, stopped.map(({ item }) => item)));
    const ms = decoder ? clock() - start : 0;
    const now = clock();
    for (const { item } of stopped)
        item.job.ran(ms, 1 / stopped.length, now);
    stopped.forEach(({ item, reason }, i) => {
        const row = (name) => (decoded ? { tensor: decoded[name], index: i } : item.values[name]);
        const outputs = Object.fromEntries(manifest.outputs.map(({ name }) => [name, fromRow(row(name))]));
        for (const value of Object.values(item.values))
            release(value);
        item.job.done(item, { depth: exit, reason, pi: item.pi, outputs });
    });
    return ms;
}
function feedsFor(reads, batch) {
    return Object.fromEntries(reads.map((name) => [name, stack(batch.map((item) => item.values[name]))]));
}
/** Frees a value that lies on a device; those on the host are left to the collector. */
export function release(row) {
    if (row && row.tensor.location !== 'cpu')
        row.tensor.dispose();
}
//# sourceMappingURL=executor.js.map