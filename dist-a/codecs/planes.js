import sharp from 'sharp';
/** Reads a file as gray (1 channel) or colour (3); as it is, without alpha, where `channels` is not given. */
export async function readPlanes(file, channels) {
    const image = sharp(file).autoOrient();
    const { channels: stored = 3 } = await image.metadata();
    const wanted = channels ?? (stored < 3 ? 1 : 3);
    const { data, info } = await image
        .removeAlpha()
        .toColourspace(wanted === 1 ? 'b-w' : 'srgb')
        .raw()
        .toBuffer({ resolveWithObject: true });
    return { channels: wanted, width: info.width, height: info.height, data: toPlanes(data, info.channels, wanted) };
}
/** Interleaved bytes to planes in [0,1]. */
function toPlanes(bytes, stored, channels) {
    const pixels = bytes.length / stored;
    const data = new Float32Array(channels * pixels);
    for (let c = 0; c < channels; c++) {
        for (let i = 0; i < pixels; i++)
            data[c * pixels + i] = bytes[i * stored + Math.min(c, stored - 1)] / 255;
    }
    return data;
}
//# sourceMappingURL=planes.js.map