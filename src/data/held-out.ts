/**
 * Which of `count` items are held out to measure on: every tenth, or one where there are fewer than ten.
 * @param what an item is called in messages
 * @throws Error where there is only one item
 */
export function heldOutOf(count: number, what: string): (i: number) => boolean {
  if (count < 2)
    throw new Error(
      `One ${what} is too few: one must be held out to measure on. Add ${what}s, or name others by --validate.`,
    );
  const every = Math.min(10, count);
  return (i) => i % every === every - 1;
}
