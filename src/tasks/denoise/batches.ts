/** Noisy patches to train denoising models on. */
import type { Planes } from '../../codecs/images.ts';
import { PatchSampler, type PatchBatch } from '../../data/images.ts';
import { Random } from '../../data/random.ts';
import { tensor, type Tensor } from '../../runtime/session.ts';
import type { Batches } from '../../training/stages.ts';
import type { DenoiseConfig } from './config.ts';
import { leastSigma, TrafficPatchSampler } from './patches.ts';
import { usualError, type DenoiseBatches } from './stages.ts';

/** The share of the traffic's noisy patches that are cut from drawings: text and graphics keep their edges under noise, too. */
const NOISY_DRAWINGS = 0.1;
/**
 * Weights of the kinds of noise in Stage I. Camera noise and grain take longer to learn than independent noise, which the other
 * patches of a batch have as well. In gray images noise that all channels share is independent noise.
 */
const weights = (channels: 1 | 3) => ({
  clean: 0.06,
  gaussian: 0.2,
  shared: channels === 1 ? 0 : 0.1,
  camera: 0.38,
  jpeg: 0.14,
  grain: 0.18,
  drawing: 0.04,
});
/** The share of colour patches whose channels are exchanged and whose saturation is changed. */
const RECOLOURED = 0.2;
/** Beyond a sample: what noise that is made from a neighbourhood needs. */
const MARGIN = 16;

/** Patches of Stage I, and the images that noise level and policy are trained on. */
export function denoiseBatches(
  config: DenoiseConfig,
  images: readonly Planes[],
  random: Random,
): DenoiseBatches {
  return {
    next: patches(config, images, random).next,
    samples: () => samples(config, images),
  };
}

/** `image` and `clean` [N,C,P,P], `weight` [N]: the first are the traffic's, the others have independent noise. */
function patches(config: DenoiseConfig, images: readonly Planes[], random: Random): Batches {
  const { batch, patch, traffic: share = 0, sigma, seed } = config;
  const mixed = Math.round(batch * share);
  const channels = channelsOf(config);
  const kinds = { sigma, weights: weights(channels), ...noiseOptions };
  const options = { size: patch, count: mixed, channels, ...kinds, seed };
  const traffic = mixed > 0 ? new TrafficPatchSampler(images, random, options) : undefined;
  const independent =
    mixed < batch ? new PatchSampler(images, random, patch, batch - mixed, config) : undefined;
  return {
    next(progress = 1) {
      if (traffic) traffic.leastSigma = config.anneal ? leastSigma(progress) : 0;
      const drawn = [traffic?.next(), independent?.next(progress)].filter(
        (part) => part !== undefined,
      );
      return feeds(drawn, config, batch, patch);
    },
  };
}

/** One image of the traffic at a time, [1,C,S,S], the same ones each time. */
function samples(config: DenoiseConfig, images: readonly Planes[]): Batches {
  const { seed, samples: { side } = { side: config.patch } } = config;
  const smallest = Math.min(...images.map(({ width, height }) => Math.min(width, height)));
  const size = Math.max(config.patch, Math.min(side, smallest - MARGIN) & ~1);
  const options = { size, count: 1, channels: channelsOf(config), ...noiseOptions, seed: seed + 1 };
  const sampler = new TrafficPatchSampler(images, new Random(seed + 1), options);
  return { next: () => feeds([sampler.next()], config, 1, size) };
}

const noiseOptions = { noisyDrawings: NOISY_DRAWINGS, recoloured: RECOLOURED };
const channelsOf = ({ channels }: DenoiseConfig): 1 | 3 => channels;

function feeds(
  parts: readonly PatchBatch[],
  { channels }: DenoiseConfig,
  count: number,
  side: number,
): Record<string, Tensor> {
  const joined = (name: keyof PatchBatch): Float32Array => {
    const whole = new Float32Array(parts.reduce((sum, part) => sum + part[name].length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part[name], at);
      at += part[name].length;
    }
    return whole;
  };
  const dims = [count, channels, side, side];
  const sigma = joined('sigma');
  return {
    image: tensor(joined('image'), dims),
    clean: tensor(joined('clean'), dims),
    weight: tensor(
      Float32Array.from(sigma, (value) => 1 / usualError(value)),
      [count],
    ),
    sigma: tensor(sigma, [count]),
  };
}
