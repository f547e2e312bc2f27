/**
 * Measured with twelve layers at half resolution, at fixed depth: 0.4/255 at most from the untiled result at σ up to 75
 * (blended over the whole margin: 1.4/255), for 1.14 times the pixels. The size must be at least four times `blend`.
 */
export const defaultTiles = { size: 576, margin: 20, blend: 12 };
/** The tiles of an image, row by row; their own areas cover it without overlap. */
export function layTiles(width, height, options) {
    const columns = spans(width, options);
    return spans(height, options).flatMap((y) => columns.map((x) => ({ x, y })));
}
/** Every window begins at a multiple, so that each tile sees the same grid as the whole image would. */
function spans(length, { size, margin, multiple }) {
    const step = Math.ceil(length / Math.ceil(length / size) / multiple) * multiple;
    const reach = Math.ceil(margin / multiple) * multiple;
    return Array.from({ length: Math.ceil(length / step) }, (_, i) => {
        const start = i * step;
        const end = Math.min(start + step, length);
        return { start, end, from: Math.max(start - reach, 0), to: Math.min(end + reach, length) };
    });
}
/** What the network sees of a tile: its window, mirrored at the far sides up to a multiple. */
export function cutTile({ data, channels, width, height }, { x, y }, multiple) {
    const w = Math.ceil((x.to - x.from) / multiple) * multiple;
    const h = Math.ceil((y.to - y.from) / multiple) * multiple;
    const result = new Float32Array(channels * h * w);
    for (let c = 0, o = 0; c < channels; c++) {
        for (let i = 0; i < h; i++) {
            const row = (c * height + mirror(y.from + i, height)) * width;
            const inside = Math.min(w, width - x.from);
            result.set(data.subarray(row + x.from, row + x.from + inside), o);
            for (let j = inside; j < w; j++)
                result[o + j] = data[row + mirror(x.from + j, width)];
            o += w;
        }
    }
    return { data: result, dims: [channels, h, w] };
}
const mirror = (i, length) => (i < length ? i : Math.max(0, 2 * length - 2 - i));
/** Puts tiles together again: each pixel is the weighted mean of the tiles that cover it. */
export function joinTiles({ channels, width, height }, tiles, parts, blend) {
    const result = new Float32Array(channels * width * height);
    tiles.forEach(({ x, y }, t) => {
        const { data, dims } = parts[t];
        const [, h, w] = dims;
        const across = ramp(x, width, blend);
        const down = ramp(y, height, blend);
        for (let c = 0; c < channels; c++) {
            for (let i = 0; i < down.length; i++) {
                const target = (c * height + y.from + i) * width + x.from;
                const source = (c * h + i) * w;
                for (let j = 0; j < across.length; j++)
                    result[target + j] += down[i] * across[j] * data[source + j];
            }
        }
    });
    return result;
}
/** Weights along one side of a window: one inside, falling smoothly to zero across an inner border; neighbours' add up to one. */
function ramp({ start, end, from, to }, length, blend) {
    const rise = (distance) => {
        const share = Math.min(1, Math.max(0, (distance + blend + 0.5) / (2 * blend)));
        return share * share * (3 - 2 * share);
    };
    return Float32Array.from({ length: to - from }, (_, i) => {
        const left = start === 0 ? 1 : rise(from + i - start);
        const right = end === length ? 1 : 1 - rise(from + i - end);
        return left * right;
    });
}
//# sourceMappingURL=tiles.js.map