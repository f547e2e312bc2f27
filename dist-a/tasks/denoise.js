/** Denoising: an image in, the same image without its noise out, in the format it came in or the one asked for. */
import { isFormat } from "../codecs/formats.js";
import { decodeImage, encodeImage } from "../codecs/images.js";
import { multipleOf } from "../bundle/shape.js";
import { Problem } from "../errors.js";
import { chooseModel } from "./model.js";
import { depthFields, depthHeaders, depthSummary, jsonAnswer, readablePi } from "./report.js";
import { cutTile, defaultTiles, joinTiles, layTiles } from "./tiles.js";
export const denoise = ({ maxPixels }) => async (request, models) => {
    // Once the tiles are cut nothing may hold on to the image's own pixels: no closure below sees `data`.
    const { data, ...frame } = await decodeImage(request.body, maxPixels);
    const { accept } = request;
    const manifest = chooseDenoiser(models, request.model, frame.channels);
    const { name, shape } = manifest.inputs[0];
    const multiple = Math.max(multipleOf(shape[2]), multipleOf(shape[3]));
    const tiles = layTiles(frame.width, frame.height, { ...defaultTiles, multiple });
    const samples = cutTiles({ ...frame, data }, tiles, name, multiple);
    const output = manifest.outputs[0].name;
    return { model: manifest.name, samples, stopping: request.stopping, encode: (result) => encode(result, frame, tiles, output, accept) };
};
const channelsOf = ({ inputs }) => Number(inputs[0]?.shape[1]);
function chooseDenoiser(models, name, channels) {
    const manifest = chooseModel(models, 'denoise', name, (model) => channelsOf(model) === channels);
    if (channelsOf(manifest) === channels)
        return manifest;
    throw new Problem('bad-image', `${manifest.name} takes images of ${channelsOf(manifest)} channel(s), this one has ${channels}; leave model out, and the one that fits is taken.`);
}
const cutTiles = (image, tiles, name, multiple) => tiles.map((tile) => ({ [name]: cutTile(image, tile, multiple) }));
async function encode(result, frame, tiles, output, accept) {
    const parts = result.samples.map(({ outputs }) => outputs[output]);
    const format = wantedFormat(accept) ?? frame.format;
    const bytes = await encodeImage({ ...frame, data: joinTiles(frame, tiles, parts, defaultTiles.blend) }, format);
    if (accept !== 'application/json')
        return { contentType: `image/${format}`, headers: depthHeaders(result), body: bytes };
    const samples = result.samples.map(({ depth, reason, pi }, i) => {
        const { x, y } = tiles[i];
        return { depth, reason, pi: readablePi(pi), x: x.start, y: y.start, width: x.end - x.start, height: y.end - y.start };
    });
    const { width, height } = frame;
    const image = { format, width, height, data: Buffer.from(bytes).toString('base64') };
    return jsonAnswer({ ...depthFields(result), ...depthSummary(result), samples, image });
}
/** `image/png` → png; nothing for JSON, whose image keeps the format it came in. */
function wantedFormat(accept) {
    const format = accept?.startsWith('image/') ? accept.slice('image/'.length) : undefined;
    return isFormat(format) ? format : undefined;
}
//# sourceMappingURL=denoise.js.map