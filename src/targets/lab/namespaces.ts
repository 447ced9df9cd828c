// Whether this machine lets an ordinary user make the namespaces that the lab lives in; if not, what forbids it.
import { readFile } from 'node:fs/promises';
import { oneLine, Unreachable } from '../../errors.ts';
import { run } from '../../process.ts';
import { UNSHARE } from './lab.ts';

/** Settings that forbid it, the value that does, the one that doesn't, and who has them. */
const SETTINGS = [
  { name: 'kernel.unprivileged_userns_clone', forbids: '0', allows: '1', on: 'Debian' },
  { name: 'user.max_user_namespaces', forbids: '0', allows: '10000', on: 'RHEL' },
  { name: 'kernel.apparmor_restrict_unprivileged_userns', forbids: '1', allows: '0', on: 'Ubuntu' },
] as const;

/** A namespace in which nothing may be changed is of no use: this is the first thing that the lab changes in its own. */
const TRIAL = ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward'] as const;

/** Throws Unreachable, in one line with what to change, when the lab's namespaces can't be made here. */
export const mayUnshare = async (): Promise<void> => {
  try {
    await run({ name: 'unshare', argv: [...UNSHARE, ...TRIAL] });
  } catch (error) {
    throw new Unreachable(
      `the lab needs namespaces of its own, which this machine does not let you make: ${await whyNot(oneLine(error))}`,
    );
  }
};

/**
 * The settings that forbid namespaces and how to change them; where none does, all that could and what `unshare` said.
 * `read` gives a setting's value, or null when the machine has no such setting.
 */
export const whyNot = async (said: string, read = sysctl): Promise<string> => {
  if (said.includes("can't start")) return `${said}; install util-linux`;
  const values = await Promise.all(SETTINGS.map(async (one) => ({ ...one, value: await read(one.name) })));
  const guilty = values.filter(({ value, forbids }) => value === forbids);
  if (guilty.length > 0)
    return guilty
      .map(({ name, value, allows }) => `${name} is ${value}; as root: sysctl -w ${name}=${allows}`)
      .join('; ');
  const all = SETTINGS.map(({ name, allows, on }) => `${name}=${allows} (${on})`).join(', ');
  return `${said}; the settings that allow them, as root with sysctl -w: ${all}; in a container, its seccomp or AppArmor profile must allow them too`;
};

const sysctl = (name: string): Promise<string | null> =>
  readFile(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').then(
    (text) => text.trim(),
    () => null,
  );
