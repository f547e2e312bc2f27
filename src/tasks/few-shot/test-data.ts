/** Few-shot tasks of classes that were not trained on, to measure on. */
import type { LabelledImages } from '../../data/class-folders.ts';
import { EpisodeSampler, type EpisodeOptions } from '../../data/episodes.ts';
import { Random } from '../../data/random.ts';
import type { Manifest } from '../../bundle/manifest.ts';
import type { Case, Condition, TestData } from '../../evaluation/data.ts';

/** Tasks of one kind: `shots` from … to. */
export type Setting = Pick<EpisodeOptions, 'shots'> & { readonly ways: number };

/** Which tasks a measurement draws, and how many. */
export interface FewShotTest {
  readonly settings: readonly Setting[];
  /** Tasks of each kind. */
  readonly count: number;
  /** Queries of each class of a task. */
  readonly queries: number;
  readonly turns: boolean;
}

/** For each number of classes the whole range of shots (task-imbalanced), and its two ends by themselves (vanilla). */
export const settingsFor = (
  ways: readonly number[],
  [least, most]: readonly [number, number],
): Setting[] =>
  ways.flatMap((k) => {
    const ranges =
      least === most
        ? ([[least, least]] as const)
        : ([
            [least, most],
            [least, least],
            [most, most],
          ] as const);
    return ranges.map((shots) => ({ ways: k, shots }));
  });

/** Test data drawn from `images`, with one condition for each setting of `test`. */
export const fewShotTasks = (
  images: LabelledImages,
  folder: string,
  test: FewShotTest,
): TestData => ({
  name: `tasks of ${images.labels.length} classes, ${folder}`,
  conditions: (manifest, seed) =>
    test.settings.map((setting) => condition(images, manifest, setting, test, seed)),
});

function condition(
  images: LabelledImages,
  { inputs }: Manifest,
  setting: Setting,
  test: FewShotTest,
  seed: number,
): Condition {
  const { ways, shots } = setting;
  const image = inputs
    .find(({ name }) => name === 'query')!
    .shape.slice(2)
    .map(Number);
  const random = new Random(seed + 1000 * ways + 100 * shots[0] + shots[1]);
  const sampler = new EpisodeSampler(images, random, { ...test, ways: [ways], shots });
  const cases = Array.from({ length: test.count }, (): Case => {
    const { support, labels, query, truth } = sampler.next();
    const s = labels.length / ways;
    return {
      sample: {
        support: { data: support, dims: [s, ...image] },
        labels: { data: labels, dims: [s, ways] },
        query: { data: query, dims: [truth.length, ...image] },
      },
      truth,
    };
  });
  return {
    label: { ways, shots: shots[0] === shots[1] ? shots[0] : `${shots[0]}-${shots[1]}` },
    cases,
  };
}
