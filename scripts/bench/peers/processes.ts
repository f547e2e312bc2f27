/** CPU time and memory of a process with all its descendants, from /proc. */
import { readdir, readFile } from 'node:fs/promises';

interface Usage {
  /** User and system time, s; steps of 10 ms. */
  readonly cpu: number;
  /** Resident memory, bytes; what processes share is counted once for each of them. */
  readonly memory: number;
}

/** Ticks of /proc/PID/stat a second; Linux has no other. */
const TICKS = 100;
const PAGE_BYTES = 4096;

/** @throws Error where there is no such process */
export async function usageOf(pid: number): Promise<Usage> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const all = new Map<number, Usage & { readonly parent: number }>();
  for (const name of pids) {
    // Processes may end between the two reads.
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [user, system, endedUser, endedSystem] = fields.slice(11, 15) as [
      number,
      number,
      number,
      number,
    ];
    if (stat === '') continue;
    all.set(Number(name), {
      parent: fields[1]!,
      cpu: (user + system + endedUser + endedSystem) / TICKS,
      memory: fields[21]! * PAGE_BYTES,
    });
  }
  const sum = (id: number): Usage => {
    const own = all.get(id)!;
    const children = [...all]
      .filter(([, { parent }]) => parent === id)
      .map(([child]) => sum(child));
    return {
      cpu: children.reduce((total, { cpu }) => total + cpu, own.cpu),
      memory: children.reduce((total, { memory }) => total + memory, own.memory),
    };
  };
  if (!all.has(pid)) throw new Error(`There is no process ${pid}.`);
  return sum(pid);
}
