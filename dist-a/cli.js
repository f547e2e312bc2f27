/** The commands beside the service. */
const commands = {
    train: async () => (await import("./commands/train.js")).train,
    evaluate: async () => (await import("./commands/evaluate.js")).evaluateCommand,
    bench: async () => (await import("./commands/bench.js")).bench,
};
const [name = '', ...args] = process.argv.slice(2);
const load = commands[name];
if (!load) {
    console.error(`There is no command ${name}; there are ${Object.keys(commands).join(', ')}.`);
    process.exitCode = 2;
}
else {
    try {
        await (await load())(args);
    }
    catch (error) {
        console.error(error instanceof Error ? error.message : error);
        process.exitCode = error instanceof Error && error.name === 'Interrupted' ? 130 : 1;
    }
}
export {};
//# sourceMappingURL=cli.js.map