import { CholeskyDecomposition, Matrix as Dense } from 'ml-matrix';
/**
 * The linear minimum-mean-square-error estimator of a white signal, (A Aᵀ + γ I)⁻¹ A as [m,n], each column scaled so
 * that its product with the column of A is one: a step along it neither over- nor undershoots.
 *
 * @param noise γ, the noise's variance beside the signal's
 */
export function linearMmse({ rows: m, columns: n, data }, noise) {
    const a = Dense.from1DArray(m, n, data);
    const gram = a.mmul(a.transpose());
    for (let i = 0; i < m; i++)
        gram.set(i, i, gram.get(i, i) + noise);
    const w = new CholeskyDecomposition(gram).solve(a);
    const result = new Float32Array(m * n);
    for (let j = 0; j < n; j++) {
        let product = 0;
        for (let i = 0; i < m; i++)
            product += w.get(i, j) * a.get(i, j);
        for (let i = 0; i < m; i++)
            result[i * n + j] = w.get(i, j) / product;
    }
    return result;
}
//# sourceMappingURL=linear-mmse.js.map