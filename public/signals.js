/** Sparse signals, their measurements, and the error of a recovery. */
import { random } from './noise.js';

/** Reads a .npy file of little-endian floats: `{shape, data}`. */
export function readNpy(buffer) {
  const view = new DataView(buffer);
  const wide = view.getUint8(6) > 1;
  const start = wide ? 12 : 10;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder().decode(new Uint8Array(buffer, start, length));
  const [, type] = /'descr': *'([^']+)'/.exec(header) ?? [];
  const [, sides] = /'shape': *\(([^)]*)\)/.exec(header) ?? [];
  const Numbers = { '<f4': Float32Array, '<f8': Float64Array }[type];
  if (!Numbers || !sides || /'fortran_order': *True/.test(header))
    throw new Error('The measurement matrix has a form that this page cannot read.');
  const shape = sides.split(',').filter(Boolean).map(Number);
  return { shape, data: new Numbers(buffer.slice(start + length)) };
}

/** n numbers, a share of them normal and the others zero; at least one is not zero. */
export function randomSignal(n, share, seed) {
  const { uniform, normal } = random(seed);
  const signal = Float64Array.from({ length: n }, () => (uniform() < share ? normal() : 0));
  if (signal.every((value) => value === 0)) signal[Math.floor(uniform() * n)] = 1;
  return signal;
}

/**
 * b = scale · (A x + ε), with normal ε of this signal-to-noise ratio.
 * @param matrix A as `{shape: [m, n], data}`
 * @param snr dB
 */
export function measure({ shape: [m, n], data }, signal, { snr, scale, seed }) {
  const { normal } = random(seed);
  const exact = Float64Array.from({ length: m }, (_, i) =>
    signal.reduce((sum, value, j) => sum + data[i * n + j] * value, 0),
  );
  const mean = exact.reduce((sum, value) => sum + value, 0) / m;
  const variance = exact.reduce((sum, value) => sum + (value - mean) ** 2, 0) / m;
  const deviation = Math.sqrt(variance) * 10 ** (-snr / 20);
  return exact.map((value) => scale * (value + deviation * normal()));
}

/** Normalised mean squared error, dB. */
export function nmse(found, truth) {
  let [error, power] = [0, 0];
  truth.forEach((value, i) => {
    error += (found[i] - value) ** 2;
    power += value ** 2;
  });
  return 10 * Math.log10(error / power);
}
