/** What the panels of all tasks have: a part of the document, a choice of models, and the controls of the stop rule. */
import { fillModels } from './dom.js';
import { latest } from './latest.js';
import { meaningOfPi, stoppingControls } from './stopping.js';

/** A task's panel. Each task adds `start()`, `send(signal)` and `fail(error)`. */
export class Panel {
  /** Sends what the panel holds; only the newest answer counts. */
  sending = latest(
    (signal) => this.send(signal),
    (error) => this.fail(error),
  );

  /**
   * @param root the panel's part of the document
   * @param models the manifests of the task's models, at least one
   */
  constructor(root, models) {
    this.root = root;
    this.models = models;
    this.stopping = stoppingControls(this.$('[data-stopping]'), root.id, () => this.sending.soon());
    this.$('[data-model]').addEventListener('change', () => {
      this.useModel();
      this.modelChosen();
    });
  }

  $(selector) {
    return this.root.querySelector(selector);
  }

  /** The manifest of the chosen model. */
  get model() {
    const { value } = this.$('[data-model]');
    return this.models.find(({ name }) => name === value);
  }

  /** Called when another model has been chosen. */
  modelChosen() {
    void this.sending.now();
  }

  /** Lists models to choose from. */
  offer(models, { name }) {
    fillModels(this.$('[data-model]'), models, name);
    this.useModel();
  }

  /** Fits the controls, and what is said of π, to the chosen model. */
  useModel() {
    this.stopping.use(this.model);
    this.$('[data-pi-said]').textContent = meaningOfPi(this.model);
  }

  /** Lists all models of the task. */
  offerAll() {
    this.offer(this.models, this.models.find((one) => one.default) ?? this.models[0]);
  }
}
