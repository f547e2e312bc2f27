/** The int8 variant of DnCNN-stop. */
import type { Planes } from '../../codecs/images.ts';
import { Random } from '../../data/random.ts';
import { defineDncnn } from '../../families/dncnn.ts';
import type { Values } from '../../families/family.ts';
import { int8Layer, int8Names } from '../../families/int8.ts';
import { toModel, type Weight } from '../../graph/model.ts';
import { input } from '../../graph/operators.ts';
import { floats, Session, tensor } from '../../runtime/session.ts';
import { lowerVariant } from '../../training/export.ts';
import { fitInt8, type Int8Layer, type SampleGroup } from '../../training/int8.ts';
import type { VariantFiles } from '../../training/recipe.ts';
import { toConstants, type Weights } from '../../training/weights.ts';
import type { DenoiseConfig } from './config.ts';
import { TrafficPatchSampler } from './patches.ts';
import { usualError } from './stages.ts';

const NAME = 'int8';
/** Bounds of σ of the independent noise that is fitted on, of 255. */
const SIGMA = [3, 80] as const;
/** Side of the patches, pixels; patches in a group; groups. */
const [SIDE, GROUP, GROUPS] = [64, 8, 8];
/** Noise of every kind, without clean images. */
const mixture = {
  clean: 0,
  gaussian: 0.7,
  shared: 0,
  camera: 0.1,
  jpeg: 0.1,
  grain: 0.1,
  drawing: 0,
};

/** @param onProgress takes the share of the work that is done, 0..1 */
export async function quantiseDenoiser(
  config: DenoiseConfig,
  weights: Weights,
  images: readonly Planes[],
  onProgress: (share: number) => void,
): Promise<VariantFiles> {
  const { depth, exits, features, form } = config;
  if (form !== 'half' || exits[0] !== 0 || exits.length < 3)
    throw new Error('Only models of the form half with exit 0 and two more have an int8 variant.');
  const first = exits[1]! + 1;
  const layers = await fitInt8({
    kernels: Array.from({ length: depth + 1 - first }, (_, i) =>
      weights.get(`kernel-${first + i}`)!,
    ),
    first,
    entries: new Set(exits.map((exit) => exit + 1)),
    groups: await noisyFeatures(config, weights, images, first - 1),
    shape: [GROUP, features, SIDE / 2, SIDE / 2],
    onProgress,
  });
  const constants = new Map([...toConstants(weights), ...int8Weights(layers, first)]);
  const family = defineDncnn(config, int8Layer(first));
  return { name: NAME, ...lowerVariant(family, constants, { name: NAME, first }) };
}

/** Features of noisy patches after so many layers, in groups of rising noise level. */
async function noisyFeatures(
  config: DenoiseConfig,
  weights: Weights,
  images: readonly Planes[],
  depth: number,
): Promise<SampleGroup[]> {
  const { channels, seed } = config;
  const options = {
    size: SIDE,
    count: 1,
    channels,
    weights: mixture,
    sigma: SIGMA,
    drawings: 1,
    seed,
  };
  const sampler = new TrafficPatchSampler(images, new Random(seed), options);
  sampler.leastSigma = SIGMA[0];
  const patches = Array.from({ length: GROUP * GROUPS }, () => {
    const { image, sigma: level } = sampler.next();
    return { image: image.slice(), level: level[0]! };
  }).sort((a, b) => a.level - b.level);
  const dims = [GROUP, channels, SIDE, SIDE];
  const family = defineDncnn(config);
  let read: Values = { image: input('image', dims) };
  for (let t = 1; t <= depth; t++) read = { ...read, ...family.layer(t, read) };
  const session = await Session.load(
    toModel({ outputs: { features: read.features! }, weights: toConstants(weights) }),
  );
  const groups: SampleGroup[] = [];
  for (let from = 0; from < patches.length; from += GROUP) {
    const some = patches.slice(from, from + GROUP);
    const image = new Float32Array(some.length * some[0]!.image.length);
    some.forEach((patch, i) => image.set(patch.image, i * patch.image.length));
    const found = await session.run({ image: tensor(image, dims) });
    const weight = Float32Array.from(some, ({ level }) => usualError(25) / usualError(level));
    groups.push({ features: floats(found.features!).slice(), weight });
  }
  await session.release();
  return groups;
}

/** The numbers of the layers by the names that their graph reads. */
function int8Weights(layers: readonly Int8Layer[], first: number): Map<string, Weight> {
  const constants = new Map<string, Weight>();
  const set = (name: string, data: Weight['data']): void => void constants.set(name, { data });
  for (const [i, { codes, kernelScale, entryScale, scale }] of layers.entries()) {
    const t = first + i;
    set(int8Names.kernel(t), codes);
    set(int8Names.kernelScale(t), kernelScale);
    if (entryScale !== undefined) set(int8Names.entryScale(t), Float32Array.of(entryScale));
    set(int8Names.scale(t), Float32Array.of(scale));
  }
  return constants;
}
