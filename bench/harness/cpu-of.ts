/** A process whose CPU time can be asked for. */
export interface Busy {
  cpuSeconds(): Promise<number>;
}

/** CPU time that processes take while work is done, in seconds; of their kernel work too. */
export async function cpuOf(processes: Busy[], work: () => Promise<unknown>): Promise<number> {
  const sum = async () => {
    const each = await Promise.all(processes.map((one) => one.cpuSeconds()));
    return each.reduce((total, seconds) => total + seconds, 0);
  };
  const before = await sum();
  await work();
  return (await sum()) - before;
}
