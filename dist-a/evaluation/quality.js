/** Quality figures: what is summed over samples, and how the sum is read. */
/** Peak signal-to-noise ratio, dB: the mean over images, the output clipped to [0,1] first. */
export const psnr = {
    name: 'psnr_db',
    sample(output, truth) {
        let sum = 0;
        for (let i = 0; i < truth.length; i++)
            sum += (Math.min(1, Math.max(0, output[i])) - truth[i]) ** 2;
        return [-10 * Math.log10(sum / truth.length), 1];
    },
    total: (parts) => parts.reduce((sum, [value]) => sum + value, 0) / parts.length,
    loss: (reference, value) => reference - value,
};
/** Normalised mean squared error, dB: 10 log₁₀(Σ‖x̂ − x*‖² / Σ‖x*‖²). */
export const nmse = {
    name: 'nmse_db',
    sample(output, truth) {
        let error = 0;
        let power = 0;
        for (let i = 0; i < truth.length; i++) {
            error += (output[i] - truth[i]) ** 2;
            power += truth[i] ** 2;
        }
        return [error, power];
    },
    total(parts) {
        const sum = (k) => parts.reduce((total, part) => total + part[k], 0);
        return 10 * Math.log10(sum(0) / sum(1));
    },
    loss: (reference, value) => value - reference,
};
//# sourceMappingURL=quality.js.map