// `firedrill doctor`: what this machine, or a cluster, can do, and for what it can't, which setting to change.
import { type Said, said } from '../said.ts';
import { LAB_TOOLS } from '../targets/lab/config.ts';
import { mayUnshare } from '../targets/lab/namespaces.ts';
import { tool } from '../tools.ts';
import type { ClusterDoctorArguments } from './doctor-cluster.ts';

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

export type DoctorArguments = ClusterDoctorArguments & { readonly target: 'lab' | 'kubernetes' };

/** A line for each thing looked at. Resolves with 0, or with 2 when there is something to mend. */
export const doctorCommand = async (argv: DoctorArguments): Promise<number> => {
  let bad = 0;
  const tell = ({ is, name, says }: Said): void => {
    if (is === 'bad') bad += 1;
    process.stdout.write(`${MARK[is].padEnd(5)} ${name.padEnd(17)} ${says}\n`);
  };
  if (argv.target === 'kubernetes') await (await import('./doctor-cluster.ts')).examine(argv, tell);
  else for (const { name, look } of checks) tell(await said(name, look));
  process.stdout.write(bad === 0 ? `${FINE[argv.target]}\n` : `${bad} to mend\n`);
  return bad === 0 ? 0 : 2;
};

const MARK = { ok: 'ok', bad: 'BAD', unknown: '?' } as const;
const FINE = {
  lab: 'this machine can run every drill in the lab',
  kubernetes: 'these drills can run in this cluster',
} as const;
