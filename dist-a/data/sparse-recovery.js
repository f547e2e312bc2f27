/** Sparse recovery's data: a measurement matrix of given conditioning, and batches of sparse signals seen through it. */
import { EigenvalueDecomposition, Matrix as Dense } from 'ml-matrix';
/**
 * A Gaussian matrix whose singular values are replaced by a log-spaced spectrum, with columns of length one.
 *
 * @param condition the largest singular value over the smallest, before the columns are normalised
 */
export function measurementMatrix(rows, columns, random, condition = 5) {
    const a = rows <= columns ? conditioned(rows, columns, random, condition) : conditioned(columns, rows, random, condition).transpose();
    for (let j = 0; j < columns; j++)
        a.setColumn(j, a.getColumnVector(j).div(a.getColumnVector(j).norm()));
    return { rows, columns, data: Float32Array.from(a.to1DArray()) };
}
/** As above, before the columns are normalised; there are no more rows than columns. */
function conditioned(rows, columns, random, condition) {
    const gaussian = Dense.from1DArray(rows, columns, Array.from({ length: rows * columns }, random.normal));
    // A = U S Vᵀ, so U diag(target / s) Uᵀ A has the same singular vectors and the target's values; U comes from A Aᵀ.
    const { eigenvectorMatrix: u, realEigenvalues } = new EigenvalueDecomposition(gaussian.mmul(gaussian.transpose()), {
        assumeSymmetric: true,
    });
    const order = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[b] - realEigenvalues[a]);
    const scale = new Array(rows);
    order.forEach((i, rank) => (scale[i] = condition ** (-rank / Math.max(rows - 1, 1)) / Math.sqrt(realEigenvalues[i])));
    return u.mmul(Dense.diag(scale)).mmul(u.transpose()).mmul(gaussian);
}
/** Draws batches b = A x + ε; buffers are reused. */
export class SignalSampler {
    matrix;
    random;
    options;
    batch;
    noise;
    constructor(matrix, random, count, options) {
        this.matrix = matrix;
        this.random = random;
        this.options = options;
        this.batch = {
            measurements: new Float32Array(count * matrix.rows),
            signals: new Float32Array(count * matrix.columns),
            snr: new Float32Array(count),
        };
        this.noise = new Float32Array(matrix.rows);
    }
    next() {
        const { rows, columns } = this.matrix;
        const { measurements, signals, snr } = this.batch;
        for (let i = 0; i < snr.length; i++) {
            snr[i] = this.options.snr[this.random.integer(this.options.snr.length)];
            const signal = signals.subarray(i * columns, (i + 1) * columns);
            this.measure(signal, this.draw(signal), snr[i], measurements.subarray(i * rows, (i + 1) * rows));
        }
        return this.batch;
    }
    /** Fills the signal; gives the places that are not zero. */
    draw(signal) {
        const support = [];
        for (let j = 0; j < signal.length; j++) {
            const present = this.random.uniform() < this.options.sparsity;
            signal[j] = present ? this.value() : 0;
            if (present)
                support.push(j);
        }
        return support;
    }
    measure(signal, support, snr, measured) {
        const { matrix, noise } = this;
        this.random.fillNormal(noise);
        let sum = 0;
        let squares = 0;
        for (let i = 0; i < measured.length; i++) {
            let value = 0;
            for (const j of support)
                value += matrix.data[i * matrix.columns + j] * signal[j];
            measured[i] = value;
            sum += value;
            squares += value * value;
        }
        const deviation = Math.sqrt(Math.max(squares / measured.length - (sum / measured.length) ** 2, 0));
        const scale = deviation * 10 ** (-snr / 20);
        for (let i = 0; i < measured.length; i++)
            measured[i] += scale * noise[i];
    }
    value() {
        const { random } = this;
        switch (this.options.values ?? 'normal') {
            case 'normal':
                return random.normal();
            case 'sign':
                return random.uniform() < 0.5 ? -1 : 1;
            case 'laplace':
                return ((random.uniform() < 0.5 ? -1 : 1) * -Math.log(1 - random.uniform())) / Math.SQRT2;
        }
    }
}
//# sourceMappingURL=sparse-recovery.js.map