/** The whole path as one graph, read out at every exit: what training differentiates and tests compare with. */
export function unroll(family, inputs) {
    const outputs = [];
    const logits = [];
    let read = inputs;
    for (let t = 1; t <= family.depth; t++) {
        read = { ...inputs, ...family.layer(t, read) };
        if (!family.exits.includes(t))
            continue;
        outputs.push(family.decode ? family.decode(t, read) : read);
        if (t < family.depth)
            logits.push(family.policy(t, read));
    }
    return { outputs, logits };
}
//# sourceMappingURL=unroll.js.map