/** A float32 in nine digits, which give back the same float32, rather than in the seventeen of a double. */
export const faithful = (value: number): number => (value === 0 ? 0 : Number(value.toPrecision(9)));
