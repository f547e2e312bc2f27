/** The service in a process of its own, as `npm start` runs it, for load over a socket. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import autocannon from 'autocannon';
import { builtUrl } from "../util/built-url.js";
import { fileURLToPath } from 'node:url';
export async function startService(modelsDir, env = {}) {
    const main = fileURLToPath(builtUrl(new URL('../main.ts', import.meta.url)));
    const child = spawn(process.execPath, [main], {
        env: { ...process.env, PORT: '0', HOST: '127.0.0.1', MODELS_DIR: modelsDir, EXECUTION_PROVIDER: 'cpu', LOG_LEVEL: 'info', ...env },
        stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout });
    const url = await new Promise((resolve, reject) => {
        lines.on('line', (line) => {
            const address = /answers at (http:\S+?)"/.exec(line);
            if (address)
                resolve(address[1]);
        });
        child.once('exit', (code) => reject(new Error(`The service ended with ${code} before it answered.`)));
    });
    return {
        url,
        async metric(name) {
            const text = await (await fetch(`${url}/metrics`)).text();
            const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `) || candidate.startsWith(`${name}{`));
            if (!line)
                throw new Error(`There is no metric ${name}.`);
            return Number(line.slice(line.lastIndexOf(' ') + 1));
        },
        async close() {
            child.kill('SIGTERM');
            await once(child, 'exit');
        },
    };
}
/** Answers a second and the 99th percentile of the latency, ms; the load must be answered with 2xx. */
export async function load({ url }, { path, body, contentType, connections, seconds }) {
    const result = await autocannon({
        url: `${url}${path}`,
        method: 'POST',
        headers: { 'content-type': contentType },
        body,
        connections,
        duration: seconds,
        timeout: 60,
    });
    if (result.non2xx > 0 || result.errors > 0)
        throw new Error(`${path}: ${result.non2xx} answers were not 2xx, ${result.errors} failed.`);
    return { rate: result.requests.average, p99: result.latency.p99 };
}
//# sourceMappingURL=service.js.map