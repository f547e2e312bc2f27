/** A small few-shot task of random images, and what a network is fed of it. */
import { Random } from '../../src/data/random.ts';

export const SIDE = 8;
const random = new Random(2);
/** [n,1,8,8] of uniform numbers. */
export const images = (n: number): Float32Array =>
  Float32Array.from({ length: n * SIDE * SIDE }, () => random.uniform());
/** [1,S,K] of ones and zeros, for classes in turn. */
const labelsOf = (classes: readonly number[], ways: number): Float32Array =>
  Float32Array.from({ length: classes.length * ways }, (_, i) =>
    classes[Math.floor(i / ways)] === i % ways ? 1 : 0,
  );

export interface Task {
  readonly support: Float32Array;
  readonly classes: readonly number[];
  readonly ways: number;
  readonly query: Float32Array;
}

export const task: Task = {
  support: images(7),
  classes: [0, 1, 2, 0, 1, 2, 2],
  ways: 3,
  query: images(4),
};

/** The data and the dimensions of each input. */
export const feedsOf = ({
  support,
  classes,
  ways,
  query,
}: Task): [Record<string, Float32Array>, Record<string, readonly number[]>] => {
  const queries = query.length / SIDE ** 2;
  return [
    { support, labels: labelsOf(classes, ways), query },
    {
      support: [1, classes.length, 1, SIDE, SIDE],
      labels: [1, classes.length, ways],
      query: [1, queries, 1, SIDE, SIDE],
    },
  ];
};
