export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
/** Runs both sides in turn, `rounds` times after one that is not counted; ms of each side's median round. */
export async function inTurn(first, second, rounds) {
    const times = [[], []];
    for (let round = -1; round < rounds; round++) {
        for (const [i, side] of [first, second].entries()) {
            const start = performance.now();
            await side();
            if (round >= 0)
                times[i].push(performance.now() - start);
        }
    }
    return { first: median(times[0]), second: median(times[1]) };
}
export const round = (value, digits = 3) => Number(value.toPrecision(digits));
//# sourceMappingURL=row.js.map