/** A family of models: its layers, its policy and its read-out, each defined once as functions that build a graph. */
import { input } from "../graph/operators.js";
/** Collects a family's parameters while it is being defined. */
export class Parameters {
    all = new Map();
    define(name, shape, initial, role = 'model') {
        if (this.all.has(name))
            throw new Error(`parameter ${name} is defined twice`);
        const value = input(name, shape);
        this.all.set(name, { value, initial, role });
        return value;
    }
}
/** Every element the same. */
export const constant = (length, value) => () => new Float32Array(length).fill(value);
/** Normal with the given standard deviation. */
export const normal = (length, deviation) => (draw) => Float32Array.from({ length }, () => draw() * deviation);
//# sourceMappingURL=family.js.map