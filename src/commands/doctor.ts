// `firedrill doctor`: what this machine can do, and for what it can't, which setting to change.
import { readFile } from 'node:fs/promises';
import { freemem } from 'node:os';
import { oneLine } from '../errors.ts';
import { LAB_TOOLS } from '../targets/lab/config.ts';
import { mayUnshare } from '../targets/lab/open.ts';
import { tool } from '../tools.ts';

type Check = { readonly name: string; look(): Promise<string> };

/** Settings that forbid namespaces to ordinary users, the value that forbids, and how to change it. */
const SETTINGS = [
  ['kernel.unprivileged_userns_clone', '0', 'sysctl -w kernel.unprivileged_userns_clone=1'],
  ['user.max_user_namespaces', '0', 'sysctl -w user.max_user_namespaces=10000'],
  ['kernel.apparmor_restrict_unprivileged_userns', '1', 'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0'],
] as const;

const NEEDED_BYTES = 1.5 * 2 ** 30;

const checks: readonly Check[] = [
  {
    name: 'Node',
    look: async () =>
      Number(process.versions.node.split('.')[0]) >= 24
        ? process.version
        : Promise.reject(new Error(`${process.version}; firedrill needs 24 or newer`)),
  },
  {
    name: 'namespaces',
    look: async () => {
      await mayUnshare().catch(async (error: unknown) => {
        const forbidding = await Promise.all(
          SETTINGS.map(async ([name, bad, mend]) =>
            (await sysctl(name)) === bad ? `${name} is ${bad}; as root: ${mend}` : null,
          ),
        );
        throw new Error(forbidding.filter(Boolean).join('; ') || oneLine(error));
      });
      return 'user, network, mount and process namespaces can be made';
    },
  },
  {
    name: 'memory',
    look: async () =>
      freemem() > NEEDED_BYTES
        ? `${(freemem() / 2 ** 30).toFixed(1)} GiB free`
        : Promise.reject(new Error(`${(freemem() / 2 ** 30).toFixed(1)} GiB free; the lab needs up to 1.5 GiB`)),
  },
  ...LAB_TOOLS.map((name) => ({
    name,
    look: async () => {
      const found = await tool(name);
      return `${found.version} (${found.source}: ${found.path})`;
    },
  })),
];

const sysctl = async (name: string): Promise<string | null> =>
  readFile(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').then(
    (text) => text.trim(),
    () => null,
  );

export const doctorCommand = async (): Promise<number> => {
  let bad = 0;
  for (const { name, look } of checks) {
    const line = await look().then(
      (says) => `ok    ${name.padEnd(13)} ${says}`,
      (error: unknown) => {
        bad += 1;
        return `BAD   ${name.padEnd(13)} ${oneLine(error)}`;
      },
    );
    process.stdout.write(`${line}\n`);
  }
  process.stdout.write(bad === 0 ? 'this machine can run every drill in the lab\n' : `${bad} to mend\n`);
  return bad === 0 ? 0 : 2;
};
