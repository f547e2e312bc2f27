/** Noise for pictures: pixels are RGBA bytes, strengths are standard deviations at mid-gray, of 255. */

/** Numbers from a seed, uniform in [0,1), and normal ones: the same seed gives the same noise at every strength. */
export function random(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

/**
 * The picture with noise. A gray picture stays gray.
 * @param kind `independent`, `camera` or `grain`
 */
export function addNoise(pixels, width, { kind, strength, gray, seed = 1 }) {
  const size = pixels.length / 4;
  const source = random(seed);
  const plane = (radius) => {
    const values = Float32Array.from({ length: size }, source.normal);
    return radius > 0 ? blurred(values, width, radius) : values;
  };
  const planes = kinds[kind].planes(plane, gray ? 1 : 3);
  const { at } = kinds[kind];
  const result = new Uint8ClampedArray(pixels);
  for (let i = 0; i < size; i++) {
    const [r, g, b] = pixels.subarray(4 * i, 4 * i + 3);
    const tone = (0.299 * r + 0.587 * g + 0.114 * b) / 255;
    for (let c = 0; c < 3; c++) {
      const noise = planes[gray ? 0 : c][i];
      result[4 * i + c] = at(pixels[4 * i + c], noise, strength, tone);
    }
  }
  return result;
}

const several = (count, make) => Array.from({ length: count }, make);

/** Of the simulated camera, electrons. */
const READ_NOISE = 0.5;

/** Of each kind: planes of unit variance, and what a noise of this strength makes of a value 0 to 255. */
const kinds = {
  independent: {
    planes: (plane, count) => several(count, () => plane(0)),
    at: (value, noise, strength) => value + strength * noise,
  },
  /** Photon and read-out noise in linear light, blurred as demosaicing does. */
  camera: {
    planes: (plane, count) => several(count, (_, c) => plane(c === 1 ? 0.5 : 0.7)),
    at: (value, noise, strength) => {
      const light = (value / 255) ** 2.2;
      // So that the deviation at mid-gray is `strength`: 255 · (dv/dx) · √(x / electrons) with x = 0.5^2.2.
      const electrons = (124 / Math.max(strength, 0.01)) ** 2;
      const deviation = Math.sqrt(light / electrons + (READ_NOISE / electrons) ** 2);
      return 255 * Math.max(0, light + deviation * noise) ** (1 / 2.2);
    },
  },
  /** Grains larger than a pixel, mostly the same in all channels, strongest in mid-tones. */
  grain: {
    planes: (plane, count) => {
      if (count === 1) return [plane(0.8)];
      const common = plane(0.8);
      return several(count, () => plane(0.8).map((own, i) => 0.6 * own + 0.8 * common[i]));
    },
    at: (value, noise, strength, tone) =>
      value + strength * (1 / 3 + (8 / 3) * tone * (1 - tone)) * noise,
  },
};

/** A plane blurred by a Gaussian of this radius, pixels, and brought back to its variance. */
function blurred(plane, width, radius) {
  const reach = Math.ceil(3 * radius);
  const weights = several(2 * reach + 1, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * radius ** 2)),
  );
  const norm = Math.sqrt(weights.reduce((sum, weight) => sum + weight ** 2, 0));
  const kernel = weights.map((weight) => weight / norm);
  const height = plane.length / width;
  return along(along(plane, width, 1, width, kernel), height, width, width, kernel);
}

/** Convolves along lines of `length` entries that are `step` apart; values beyond the ends are those at the ends. */
function along(plane, length, step, width, kernel) {
  const reach = (kernel.length - 1) / 2;
  const result = new Float32Array(plane.length);
  for (let i = 0; i < plane.length; i++) {
    const place = step === 1 ? i % width : Math.floor(i / width);
    let sum = 0;
    for (let k = -reach; k <= reach; k++) {
      const to = Math.min(length - 1, Math.max(0, place + k));
      sum += kernel[k + reach] * plane[i + (to - place) * step];
    }
    result[i] = sum;
  }
  return result;
}
