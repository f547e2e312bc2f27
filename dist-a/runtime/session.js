/** The only importer of onnxruntime-node: sessions, tensors and execution providers behind one small interface. */
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
export function tensor(data, dims) {
    return new OrtTensor('float32', data, dims);
}
export function zeros(dims) {
    return tensor(new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);
}
export function scalar(value) {
    return tensor(Float32Array.of(value), []);
}
/** The values of a float32 tensor that lies on the CPU. */
export function floats(value) {
    if (value.type !== 'float32')
        throw new TypeError(`expected float32, got ${value.type}`);
    return value.data;
}
/** One compiled graph. `run` blocks the calling thread until the graph has finished. */
export class Session {
    session;
    inputs;
    outputs;
    constructor(session) {
        this.session = session;
        this.inputs = session.inputMetadata.map(toPort);
        this.outputs = session.outputMetadata.map(toPort);
    }
    /** Compiles a model given by path (external data is found beside it) or by its bytes. */
    static async load(model, options = {}) {
        const { provider = 'cpu', threads = 1, resident = [], spin = false } = options;
        const session = {
            executionProviders: [provider],
            intraOpNumThreads: threads,
            interOpNumThreads: 1,
            logSeverityLevel: 3,
            graphOptimizationLevel: 'all',
            extra: { session: { intra_op: { allow_spinning: spin ? '1' : '0' } } },
        };
        if (provider === 'webgpu' && resident.length > 0) {
            session.preferredOutputLocation = Object.fromEntries(resident.map((name) => [name, 'gpu-buffer']));
        }
        const loaded = typeof model === 'string' ? await InferenceSession.create(model, session) : await InferenceSession.create(model, session);
        return new Session(loaded);
    }
    /**
     * Runs the graph. `fetches` may hold preallocated CPU tensors by output name, which are filled in place;
     * without it every output is allocated.
     */
    async run(feeds, fetches) {
        const result = fetches ? await this.session.run(feeds, fetches) : await this.session.run(feeds);
        return result;
    }
    async release() {
        await this.session.release();
    }
}
function toPort(meta) {
    return meta.isTensor ? { name: meta.name, type: meta.type, shape: meta.shape } : { name: meta.name, type: 'unknown', shape: [] };
}
//# sourceMappingURL=session.js.map