import Type from 'typebox';
import { formats, isFormat } from "../codecs/formats.js";
import { clock } from "../engine/messages.js";
import { Problem } from "../errors.js";
import { StoppingQuery, toStoppingParameters } from "../tasks/stopping.js";
import { bodyBytes, mediaType, onlyFile } from "./body.js";
import { describeTask } from "./describe.js";
import { negotiate } from "./negotiation.js";
import { toProblem } from "./problems.js";
const imageTypes = formats.map((format) => `image/${format}`);
export const taskRoutes = [
    {
        task: 'denoise',
        summary: 'An image without its noise; each tile is denoised as deep as it needs.',
        takes: ['multipart/form-data', 'image/*'],
        gives: [...imageTypes, 'application/json'],
        field: 'image',
    },
    {
        task: 'recover',
        summary: 'Sparse signals from their measurements, each as deep as it needs.',
        takes: ['application/json', 'application/octet-stream', 'application/x-npy'],
        gives: ['application/json', 'application/octet-stream', 'application/x-npy'],
    },
];
const Query = Type.Object({
    model: Type.Optional(Type.String({ minLength: 1, description: "A model's name; the task's default where absent." })),
    ...StoppingQuery.properties,
}, { additionalProperties: false });
const ImageQuery = Type.Object({
    ...Query.properties,
    format: Type.Optional(Type.String({ enum: [...formats, 'json'], description: 'The format of the answer; counts more than Accept.' })),
}, { additionalProperties: false });
export function installTask(app, route, engine, metrics, maxBodyBytes) {
    const query = route.field ? ImageQuery : Query;
    app.post(`/v1/${route.task}`, { schema: { querystring: query, ...describeTask(route) } }, async (request, reply) => {
        const arrivedAt = clock();
        const values = request.query;
        reply.header('vary', 'Accept');
        try {
            const { answer, summary } = await engine.perform(await toTaskRequest(request, route, values, maxBodyBytes), {
                signal: untilGone(reply),
                arrivedAt,
            });
            metrics.answered(summary);
            return await reply.headers(answer.headers).type(answer.contentType).send(answer.body);
        }
        catch (error) {
            metrics.unanswered(modelLabel(values.model, engine), outcomeOf(toProblem(error)));
            throw error;
        }
    });
}
async function toTaskRequest(request, route, values, maxBodyBytes) {
    const { model, format, ...stopping } = values;
    const contentType = mediaType(request, route.takes);
    const accept = wantedType(request, route, format);
    const form = contentType === 'multipart/form-data';
    const body = form ? await onlyFile(request, route.field, maxBodyBytes) : bodyBytes(request);
    return {
        task: route.task,
        contentType,
        body,
        stopping: toStoppingParameters(stopping),
        ...(model !== undefined && { model: String(model) }),
        ...(accept !== undefined && { accept }),
    };
}
function wantedType(request, { gives }, format) {
    if (format === 'json')
        return 'application/json';
    if (typeof format === 'string' && isFormat(format))
        return `image/${format}`;
    return negotiate(request.headers.accept, gives);
}
/** Aborts when the client leaves before its answer is written. */
function untilGone(reply) {
    const controller = new AbortController();
    reply.raw.on('close', () => {
        if (!reply.raw.writableEnded)
            controller.abort();
    });
    return controller.signal;
}
/** A bounded label: names that no model has are not repeated. */
const modelLabel = (name, engine) => (typeof name === 'string' && engine.manifests.has(name) ? name : '');
function outcomeOf(problem) {
    if (problem.code === 'overloaded' || problem.code === 'draining')
        return 'overloaded';
    if (problem.code === 'client-closed-request')
        return 'cancelled';
    return problem.status < 500 ? 'rejected' : 'failed';
}
//# sourceMappingURL=task-routes.js.map