/** The only importer of onnxruntime-node: sessions, tensors and execution providers behind one small interface. */
import './telemetry.ts';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { messageOf } from '../util/message-of.ts';

/** The execution providers of ONNX Runtime that can be asked for. */
export const providers = ['cpu', 'webgpu', 'cuda'] as const;
/** The name of an execution provider. */
export type Provider = (typeof providers)[number];

/** A tensor on the CPU, or on the device where a session keeps it there. Device tensors must be disposed. */
export type Tensor = OrtTensor;
/** Tensors by the name of the input or output they belong to. */
export type Tensors = Record<string, Tensor>;

/** An input or output as the ONNX file declares it; symbolic dimensions are strings. */
export interface TensorInfo {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string)[];
}

/** How a graph is compiled and run; default: one thread on the CPU. */
export interface SessionOptions {
  readonly provider?: Provider;
  /** Threads within one operator; workers × threads should not exceed the cores. */
  readonly threads?: number;
  /** Outputs that stay on the device (WebGPU only; ignored elsewhere). */
  readonly resident?: readonly string[];
  /** Let idle threads busy-wait: faster for one session run in a tight loop (training), much slower with many sessions. */
  readonly spin?: boolean;
  /**
   * Keep the memory of a run for the next, the default. Without it what a large image needed is given back; a run of
   * 60 ms takes no longer, one of 2 ms some percent.
   */
  readonly keepMemory?: boolean;
}

/**
 * A float32 tensor on the CPU that uses `data` without a copy.
 * @throws Error where `dims` does not fit the length of `data`
 */
export function tensor(data: Float32Array, dims: readonly number[]): OrtTensor {
  return new OrtTensor('float32', data, dims);
}

/** A float32 tensor of zeros on the CPU. */
export function zeros(dims: readonly number[]): OrtTensor {
  return tensor(new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);
}

/** A float32 tensor of rank 0 (shape []). */
export function scalar(value: number): OrtTensor {
  return tensor(Float32Array.of(value), []);
}

/** The values of a float32 tensor on the CPU. @throws TypeError for another type */
export function floats(value: Tensor): Float32Array {
  if (value.type !== 'float32') throw new TypeError(`expected float32, got ${value.type}`);
  return value.data as Float32Array;
}

/** A compiled graph. `run` blocks the calling thread until the graph has finished. */
export class Session {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];

  private constructor(private readonly session: InferenceSession) {
    this.inputs = session.inputMetadata.map(toInfo);
    this.outputs = session.outputMetadata.map(toInfo);
  }

  /** Compiles a model from its path (external data is looked up in the same folder) or from its bytes. */
  static async load(model: string | Uint8Array, options: SessionOptions = {}): Promise<Session> {
    const {
      provider = 'cpu',
      threads = 1,
      resident = [],
      spin = false,
      keepMemory = true,
    } = options;
    const session: InferenceSession.SessionOptions = {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
      graphOptimizationLevel: 'all',
      enableCpuMemArena: keepMemory,
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
   * Runs the graph.
   * @param fetches preallocated CPU tensors by output name, filled in place; without it every output is allocated
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

/** An ONNX file with y = −x: any working provider can load it. */
const NEGATION_MODEL =
  'CAkSCHN0b3B3aXNlOmQKFgoBeBIFTmVnXzAaBU5lZ18wIgNOZWcKHgoFTmVnXzASAXkaCG91dHB1dCB5IghJZGVudGl0eRIIc3RvcHdpc2VaDwoBeBIKCggIARIECgIIAWIPCgF5EgoKCAgBEgQKAggBQgQKABAS';

/** The error of ONNX Runtime where a provider cannot load even the smallest model; undefined where it can. */
export async function providerLoadError(provider: Provider): Promise<string | undefined> {
  try {
    const session = await Session.load(Buffer.from(NEGATION_MODEL, 'base64'), { provider });
    await session.release();
    return undefined;
  } catch (error) {
    const [line = ''] = messageOf(error).split('\n');
    // Failed assertions in the library start with their place in its source.
    return line.replace(/^.* was false\. /, '').replace(/\.$/, '');
  }
}

/** What each provider needs. */
const requirements: Record<Provider, string> = {
  cpu: '',
  webgpu: 'It needs a GPU and, on Linux, its Vulkan driver and libvulkan1.',
  cuda: 'It needs an NVIDIA GPU, CUDA with cuDNN, and ONNX Runtime’s CUDA libraries (see docs/gpu.md).',
};

/**
 * @param alternative the setting that uses the CPU instead, such as `EXECUTION_PROVIDER=cpu`
 * @throws an error that says what is missing where the provider is unavailable
 */
export async function requireProvider(provider: Provider, alternative: string): Promise<void> {
  const reason = await providerLoadError(provider);
  if (reason !== undefined)
    throw new Error(
      `The ${provider} provider is unavailable: ${reason}. ${requirements[provider]} To use the CPU, set ${alternative}.`,
    );
}
