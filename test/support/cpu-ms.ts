/** CPU time of this process so far, ms: bounds on it hold on a loaded machine too, where elapsed time is others'. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
