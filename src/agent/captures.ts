// Ends the captures that run in this container, so that each tells its counts: whoever started them is elsewhere.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { until } from '../poll.ts';

/** Interrupts every tcpdump of this container and waits until they have ended. Resolves with how many there were. */
export const endCaptures = async (): Promise<number> => {
  const running = await captures();
  for (const pid of running) interrupt(pid);
  await until('the end of tcpdump', async () => ((await captures()).length === 0 ? true : null), {
    forMs: 5000,
    everyMs: 20,
  });
  return running.length;
};

/** Containers may share a process namespace, never a mount namespace. */
const captures = async (): Promise<number[]> => {
  const own = await readlink('/proc/self/ns/mnt');
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    if (name.trim() !== 'tcpdump') continue;
    const mount = await readlink(`/proc/${pid}/ns/mnt`).catch(() => null);
    if (mount === own) found.push(Number(pid));
  }
  return found;
};

const interrupt = (pid: number): void => {
  try {
    process.kill(pid, 'SIGINT');
  } catch {
    // It has just ended by itself.
  }
};
