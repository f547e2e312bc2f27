import { Problem } from "../errors.js";
/**
 * The model a request means: by name, else the task's default, else its only one.
 * @param fits where several defaults exist, the one that fits the input
 */
export function chooseModel(models, task, name, fits = () => true) {
    if (name !== undefined) {
        const named = models.get(name);
        if (!named)
            throw new Problem('unknown-model', `There is no model ${name}; for this task there are ${namesOf(models, task)}.`);
        if (named.task !== task)
            throw new Problem('wrong-task', `${name} is a model for ${named.task}; for this task there are ${namesOf(models, task)}.`);
        return named;
    }
    const fitting = [...models.values()].filter((manifest) => manifest.task === task && fits(manifest));
    const chosen = fitting.find((manifest) => manifest.default) ?? (fitting.length === 1 ? fitting[0] : undefined);
    if (!chosen)
        throw new Problem('unknown-model', `No model is the default for this input; name one of ${namesOf(models, task)} as model.`);
    return chosen;
}
function namesOf(models, task) {
    return ([...models.values()]
        .filter((manifest) => manifest.task === task)
        .map(({ name }) => name)
        .join(', ') || 'none');
}
//# sourceMappingURL=model.js.map