/** Training steps: forward pass, backward pass and Adam in one ONNX graph, compiled once. */
import { gradient } from '../graph/gradient.ts';
import { toModel } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { known } from '../graph/value.ts';
import {
  floats,
  scalar,
  Session,
  tensor,
  zeros,
  type Provider,
  type Tensors,
} from '../runtime/session.ts';
import { adamStep, defaultAdam, type AdamOptions } from './adam.ts';
import type { Weights } from './weights.ts';

/** Loss, parameters and optimiser of a {@link Trainer}. */
export interface TrainerOptions {
  /** The loss, []. */
  readonly loss: Value;
  /** Further values to read after every step. */
  readonly watch?: Readonly<Record<string, Value>>;
  /** The parameters that are trained; the other `weights` are constant. */
  readonly learn: ReadonlyMap<string, Value>;
  readonly weights: Weights;
  readonly threads: number;
  /** What runs the steps; the CPU where absent. */
  readonly provider?: Provider;
  readonly adam?: Partial<AdamOptions>;
}

/** Adam's moments and the number of steps: with the weights, what an exact resume needs. */
export interface OptimiserState {
  steps: number;
  readonly moments: Map<string, Float32Array>;
}

/** Holds a compiled training step with its parameters and Adam's moments; `release` frees the session. */
export class Trainer {
  /** Parameters and moments by name. The next step writes into `spare`, and the two are swapped. */
  private readonly current: Tensors = {};
  private readonly spare: Tensors = {};
  private heldTensors: Tensors | undefined;

  private constructor(
    private readonly session: Session,
    private readonly options: TrainerOptions,
    private readonly adam: AdamOptions,
    private steps: number,
  ) {}

  static async create(options: TrainerOptions, state?: OptimiserState): Promise<Trainer> {
    const adam = { ...defaultAdam, ...options.adam };
    const { learn, loss, watch, weights, threads, provider = 'cpu' } = options;
    const gradients = gradient(loss, [...learn.values()]);
    const named = new Map([...learn.keys()].map((name, i) => [name, gradients[i]!]));
    const step = adamStep(learn, named, adam);
    const next = Object.fromEntries(
      Object.entries(step.next).map(([name, value]) => [`next:${name}`, value]),
    );
    const model = toModel({ outputs: { loss, norm: step.norm, ...watch, ...next } });
    const session = await Session.load(model, { provider, threads, spin: threads > 1 });
    const trainer = new Trainer(session, options, adam, state?.steps ?? 0);
    for (const [name, value] of learn) {
      const dims = value.shape.map(known);
      trainer.current[name] = tensor(weights.get(name)!, dims);
      for (const moment of [`m:${name}`, `v:${name}`].filter((key) => key in step.next)) {
        const saved = state?.moments.get(moment);
        trainer.current[moment] = saved ? tensor(saved, dims) : zeros(dims);
      }
    }
    for (const [name, value] of Object.entries(trainer.current))
      trainer.spare[`next:${name}`] = zeros(value.dims);
    return trainer;
  }

  /**
   * One step of Adam on one batch.
   * @param feeds the batch and all other inputs that are not parameters
   * @returns the loss, the norm of the gradients and the watched values
   * @throws Error where the loss or a gradient is not finite
   */
  async step(feeds: Tensors, rate: number): Promise<Record<string, Float32Array>> {
    this.steps++;
    const { beta1, beta2 } = this.adam;
    const all: Tensors = {
      ...this.held(),
      ...this.current,
      ...feeds,
      rate: scalar(rate),
      'correction-1': scalar(1 - beta1 ** this.steps),
      'correction-2': scalar(1 - beta2 ** this.steps),
    };
    const wanted = this.session.pick(all);
    const watched = ['norm', 'loss', ...Object.keys(this.options.watch ?? {})];
    const fetches = {
      ...this.spare,
      ...Object.fromEntries(watched.map((name) => [name, null])),
    } as unknown as Tensors;
    const result = await this.session.run(wanted, fetches);
    const seen = Object.fromEntries(watched.map((name) => [name, floats(result[name]!)]));
    if (!Number.isFinite(seen.loss![0]) || !Number.isFinite(seen.norm![0])) {
      throw new Error(
        `Training stopped at step ${this.steps}: the loss is ${seen.loss![0]} and the gradients' norm ${seen.norm![0]}. ` +
          'Lower the learning rate, or continue from the last checkpoint with --resume.',
      );
    }
    for (const name of Object.keys(this.current)) {
      [this.current[name], this.spare[`next:${name}`]] = [
        this.spare[`next:${name}`]!,
        this.current[name]!,
      ];
    }
    return seen;
  }

  /** Copies the trained values into the weights. */
  store(): void {
    for (const name of this.options.learn.keys()) {
      this.options.weights.set(name, floats(this.current[name]!).slice());
    }
  }

  state(): OptimiserState {
    const moments = Object.keys(this.current).filter((name) => !this.options.learn.has(name));
    return {
      steps: this.steps,
      moments: new Map(moments.map((name) => [name, floats(this.current[name]!).slice()])),
    };
  }

  async release(): Promise<void> {
    await this.session.release();
  }

  private held(): Tensors {
    const { weights, learn } = this.options;
    const ports = this.session.inputs.filter(({ name }) => weights.has(name) && !learn.has(name));
    this.heldTensors ??= Object.fromEntries(
      ports.map(({ name, shape }) => [
        name,
        tensor(
          weights.get(name)!,
          shape.map((dim) => known(dim)),
        ),
      ]),
    );
    return this.heldTensors;
  }
}
