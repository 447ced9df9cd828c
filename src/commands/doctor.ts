// `firedrill doctor`: what this machine can do, and for what it can't, which setting to change.
import { oneLine } from '../errors.ts';
import { LAB_TOOLS } from '../targets/lab/config.ts';
import { mayUnshare } from '../targets/lab/namespaces.ts';
import { tool } from '../tools.ts';

type Check = { readonly name: string; look(): Promise<string> };

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
      await mayUnshare();
      return 'user, network, mount and process namespaces can be made';
    },
  },
  {
    name: 'memory',
    look: async () => {
      const free = `${(process.availableMemory() / 2 ** 30).toFixed(1)} GiB free`;
      if (process.availableMemory() < NEEDED_BYTES) throw new Error(`${free}; the lab needs up to 1.5 GiB`);
      return free;
    },
  },
  ...LAB_TOOLS.map((name) => ({
    name,
    look: async () => {
      const found = await tool(name);
      return `${found.version} (${found.source}: ${found.path})`;
    },
  })),
];

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
