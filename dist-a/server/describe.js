/** What the OpenAPI document says of a task's bodies and answers. Bodies are described, not validated: a worker reads them. */
import { problems } from "../errors.js";
const binary = { type: 'string', format: 'binary' };
const problem = {
    type: 'object',
    properties: {
        type: { type: 'string' },
        title: { type: 'string' },
        status: { type: 'integer' },
        code: { type: 'string', enum: Object.keys(problems) },
        detail: { type: 'string', description: 'What was wrong, and what to change.' },
        instance: { type: 'string' },
    },
};
const numbers = { type: 'array', items: { type: 'number' } };
const stopping = { type: 'object', description: 'The stopping parameters, as in the query.' };
const bodies = {
    'multipart/form-data': { type: 'object', properties: { image: binary }, required: ['image'] },
    'application/json': {
        type: 'object',
        properties: { measurements: { oneOf: [numbers, { type: 'array', items: numbers }] }, model: { type: 'string' }, stopping },
        required: ['measurements'],
    },
};
const json = {
    type: 'object',
    properties: {
        model: { type: 'string' },
        max_depth: { type: 'integer', description: "The model's depth T." },
        seed: { type: 'integer' },
        samples: {
            type: 'array',
            items: {
                type: 'object',
                properties: {
                    depth: { type: 'integer' },
                    reason: { type: 'string', enum: ['policy', 'max_depth', 'fixed', 'deadline', 'load'] },
                    pi: { ...numbers, description: 'π at the exits that ran.' },
                },
                additionalProperties: true,
            },
        },
        timing: { type: 'object', properties: { queue_ms: { type: 'number' }, compute_ms: { type: 'number' }, total_ms: { type: 'number' } } },
    },
    additionalProperties: true,
};
const headers = {
    'x-model': 'The model that answered.',
    'x-stop-depth': 'Depth of the deepest sample.',
    'x-stop-depth-mean': 'Mean depth over the samples.',
    'x-max-depth': "The model's depth T.",
    'x-stop-reason': 'Why the deepest sample stopped.',
    'x-seed': 'The seed, where depths were sampled.',
};
export function describeTask({ takes, gives, summary, task }) {
    const refusal = { description: 'What was wrong, and what to change.', content: { 'application/problem+json': { schema: problem } } };
    const described = Object.entries(headers).map(([name, description]) => [
        name,
        { description, schema: { type: 'string' } },
    ]);
    return {
        summary,
        operationId: task,
        tags: ['tasks'],
        consumes: takes,
        produces: gives,
        'x-body': Object.fromEntries(takes.map((type) => [type, { schema: bodies[type] ?? binary }])),
        'x-answers': {
            200: {
                description: 'The answer, with the depth it took.',
                headers: Object.fromEntries(described),
                content: Object.fromEntries(gives.map((type) => [type, { schema: type === 'application/json' ? json : binary }])),
            },
            400: refusal,
            413: refusal,
            415: refusal,
            429: refusal,
            503: refusal,
        },
    };
}
//# sourceMappingURL=describe.js.map