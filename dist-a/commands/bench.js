/** `bench`: the benchmarks, each a ratio within one run. */
import { parseArgs } from 'node:util';
import { batching } from "../bench/batching.js";
import { depth } from "../bench/depth.js";
import { engine } from "../bench/engine.js";
import { trainingStep } from "../bench/training-step.js";
import { underLoad } from "../bench/under-load.js";
const benches = [depth, engine, batching, underLoad, trainingStep];
const usage = `npm run bench [-- NAME …] [--data DIR] [--json]
  --data DIR   clean images for the denoising rows; the sample picture where absent
${benches.map(({ name, about }) => `  ${name.padEnd(14)}${about}`).join('\n')}`;
export async function bench(args) {
    const options = { data: { type: 'string' }, json: { type: 'boolean', default: false } };
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    const unknown = positionals.find((name) => !benches.some((candidate) => candidate.name === name));
    if (unknown !== undefined)
        throw new Error(`There is no benchmark ${unknown}:\n${usage}`);
    const chosen = positionals.length === 0 ? benches : benches.filter(({ name }) => positionals.includes(name));
    const modelsDir = process.env.MODELS_DIR ?? 'models';
    const rows = [];
    for (const [i, current] of chosen.entries()) {
        console.error(`${i + 1} of ${chosen.length}, ${current.name}: ${current.about}`);
        rows.push(...(await current.run({ modelsDir, ...(values.data !== undefined && { images: values.data }) })));
    }
    if (values.json)
        console.log(JSON.stringify({ rows }));
    else
        console.log(table(rows));
}
/** A table that reads well on a terminal and in a README alike. */
function table(rows) {
    const cells = [
        ['benchmark', 'what', 'measured', 'reach', 'detail'],
        ...rows.map(({ benchmark, what, value, unit, reach, detail }) => [benchmark, what, `${value} ${unit}`, reach ?? '', detail ?? '']),
    ];
    const widths = cells[0].map((_, i) => Math.max(...cells.map((row) => row[i].length)));
    const lines = cells.map((row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`);
    return [lines[0], `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...lines.slice(1)].join('\n');
}
//# sourceMappingURL=bench.js.map