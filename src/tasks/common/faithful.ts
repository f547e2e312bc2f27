/** The number of the fewest digits that is the same float32, so that JSON is short; −0 becomes 0. */
export function faithful(value: number): number {
  if (value === 0) return 0;
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}
