/** The only importer of onnxruntime-node: sessions, tensors and execution providers behind one small interface. */
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';

export const providers = ['cpu', 'webgpu', 'cuda'] as const;
export type Provider = (typeof providers)[number];

/** A tensor on the CPU or, where a session keeps it there, on the device. Device tensors must be disposed. */
export type Tensor = OrtTensor;
export type Tensors = Record<string, Tensor>;

/** An input or output as the ONNX file declares it; symbolic dimensions are strings. */
export interface TensorInfo {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string)[];
}

export interface SessionOptions {
  readonly provider?: Provider;
  /** Threads inside one operator; workers × threads must not exceed the cores. */
  readonly threads?: number;
  /** Outputs that stay on the device (WebGPU only; ignored elsewhere). */
  readonly resident?: readonly string[];
  /** Busy-waiting threads pay for one session run in a tight loop (training), and cost dearly with many. */
  readonly spin?: boolean;
}

export function tensor(data: Float32Array, dims: readonly number[]): OrtTensor {
  return new OrtTensor('float32', data, dims);
}

export function zeros(dims: readonly number[]): OrtTensor {
  return tensor(new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);
}

export function scalar(value: number): OrtTensor {
  return tensor(Float32Array.of(value), []);
}

/** The values of a float32 tensor that lies on the CPU. */
export function floats(value: Tensor): Float32Array {
  if (value.type !== 'float32') throw new TypeError(`expected float32, got ${value.type}`);
  return value.data as Float32Array;
}

/** One compiled graph. `run` blocks the calling thread until the graph has finished. */
export class Session {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];

  private constructor(private readonly session: InferenceSession) {
    this.inputs = session.inputMetadata.map(toInfo);
    this.outputs = session.outputMetadata.map(toInfo);
  }

  /** Compiles a model given by path (external data is found beside it) or by its bytes. */
  static async load(model: string | Uint8Array, options: SessionOptions = {}): Promise<Session> {
    const { provider = 'cpu', threads = 1, resident = [], spin = false } = options;
    const session: InferenceSession.SessionOptions = {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
      graphOptimizationLevel: 'all',
      extra: { session: { intra_op: { allow_spinning: spin ? '1' : '0' } } },
    };
    if (provider === 'webgpu' && resident.length > 0) {
      session.preferredOutputLocation = Object.fromEntries(
        resident.map((name) => [name, 'gpu-buffer' as const]),
      );
    }
    const loaded =
      typeof model === 'string'
        ? await InferenceSession.create(model, session)
        : await InferenceSession.create(model, session);
    return new Session(loaded);
  }

  /**
   * Runs the graph. `fetches` may hold preallocated CPU tensors by output name, which are filled in place;
   * without it every output is allocated.
   */
  async run(feeds: Tensors, fetches?: Tensors): Promise<Tensors> {
    const result = fetches ? await this.session.run(feeds, fetches) : await this.session.run(feeds);
    return result;
  }

  /** The inputs of this graph among named tensors. @throws Error where one is missing */
  pick(tensors: Readonly<Tensors>): Tensors {
    return Object.fromEntries(
      this.inputs.map(({ name }) => {
        const found = tensors[name];
        if (!found) throw new Error(`the graph needs the input ${name}`);
        return [name, found];
      }),
    );
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

function toInfo(meta: InferenceSession.ValueMetadata): TensorInfo {
  return meta.isTensor
    ? { name: meta.name, type: meta.type, shape: meta.shape }
    : { name: meta.name, type: 'unknown', shape: [] };
}

/** y = −x, as an ONNX file: what a provider must be able to load if it is there at all. */
const TINY =
  'CAkSCHN0b3B3aXNlOmQKFgoBeBIFTmVnXzAaBU5lZ18wIgNOZWcKHgoFTmVnXzASAXkaCG91dHB1dCB5IghJZGVudGl0eRIIc3RvcHdpc2VaDwoBeBIKCggIARIECgIIAWIPCgF5EgoKCAgBEgQKAggBQgQKABAS';

/** What ONNX Runtime says of a provider that cannot be loaded here, whatever the model; undefined where it can. */
export async function whyAbsent(provider: Provider): Promise<string | undefined> {
  try {
    const session = await Session.load(Buffer.from(TINY, 'base64'), { provider });
    await session.release();
    return undefined;
  } catch (error) {
    const [line] = (error instanceof Error ? error.message : String(error)).split('\n');
    // Failed assertions of the library begin with the place in its source.
    return line!.replace(/^.* was false\. /, '').replace(/\.$/, '');
  }
}

/** What to do about a provider that is asked for and is not there. */
const needs: Record<Provider, string> = {
  cpu: '',
  webgpu: 'It needs a GPU and, on Linux, its Vulkan driver and libvulkan1.',
  cuda: 'It needs an NVIDIA GPU, CUDA with cuDNN, and ONNX Runtime’s CUDA libraries, which "On a GPU" in the README installs.',
};

/** @throws what is missing for a provider that cannot be loaded here, and that `without` (a setting) goes without it */
export async function requireProvider(provider: Provider, without: string): Promise<void> {
  const absent = await whyAbsent(provider);
  if (absent !== undefined)
    throw new Error(
      `The ${provider} provider cannot be had here: ${absent}. ${needs[provider]} ${without} goes without.`,
    );
}
