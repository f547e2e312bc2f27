/** Fresh weights; `normal` draws standard normal numbers. */
export function initialWeights(family, normal) {
    return new Map([...family.parameters].map(([name, { initial }]) => [name, initial(normal)]));
}
//# sourceMappingURL=weights.js.map