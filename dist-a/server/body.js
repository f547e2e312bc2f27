/** Bodies as they come: bytes, whatever their type; multipart forms with exactly one file. */
import multipart from '@fastify/multipart';
import { Problem } from "../errors.js";
export async function installBodies(app, maxBodyBytes) {
    await app.register(multipart, { limits: { fileSize: maxBodyBytes, files: 16, fields: 16, parts: 32 } });
    app.removeContentTypeParser(['application/json', 'text/plain']);
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
}
/** The media type without its parameters. @throws Problem `unsupported-media-type` where none is given or it is not taken */
export function mediaType(request, taken) {
    const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
    const fits = type !== undefined && taken.some((one) => one === type || (one.endsWith('/*') && type.startsWith(one.slice(0, -1))));
    if (!fits) {
        throw new Problem('unsupported-media-type', `Content-Type is ${type ?? 'missing'}; this route takes ${taken.join(', ')}.`);
    }
    return type;
}
/** The body's bytes. @throws Problem `bad-body` where there are none */
export function bodyBytes(request) {
    if (!Buffer.isBuffer(request.body) || request.body.length === 0)
        throw new Problem('bad-body', 'The body is empty.');
    return request.body;
}
/** The one file of a multipart form, in the field of this name. @throws Problem where it is not exactly that */
export async function onlyFile(request, field, maxBytes) {
    let bytes;
    try {
        for await (const part of request.parts()) {
            if (part.type !== 'file')
                throw new Problem('bad-body', `The form has a field ${part.fieldname} without a file; send one file, in the field ${field}.`);
            if (part.fieldname !== field) {
                part.file.resume();
                throw new Problem('bad-body', `The form has a file in the field ${part.fieldname}; send it in the field ${field}.`);
            }
            if (bytes) {
                part.file.resume();
                throw new Problem('bad-body', `The form has more than one file; send one, in the field ${field}.`);
            }
            bytes = await part.toBuffer();
        }
    }
    catch (error) {
        if (error instanceof Problem)
            throw error;
        const { code, message } = error;
        if (code === 'FST_REQ_FILE_TOO_LARGE')
            throw new Problem('too-large', `The file is larger than ${maxBytes} bytes (MAX_BODY_BYTES).`);
        throw new Problem('bad-body', `The multipart form cannot be read: ${message.replace(/\.$/, '')}.`);
    }
    if (!bytes)
        throw new Problem('bad-body', `The form has no file; send one, in the field ${field}.`);
    if (bytes.length === 0)
        throw new Problem('bad-body', 'The file is empty.');
    return bytes;
}
//# sourceMappingURL=body.js.map