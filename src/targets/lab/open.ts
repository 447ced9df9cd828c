// Opens a lab for a platform: fetches what it needs, and tells in advance what a plan must know of it.
import { Unreachable } from '../../errors.ts';
import { type Platform, topology } from '../../platform.ts';
import { run } from '../../process.ts';
import { tools } from '../../tools.ts';
import type { Facts } from '../target.ts';
import { LAB_TOOLS, NO_RECEIVERS, type Receivers } from './config.ts';
import { ANY_PORTS, type Lab, labTiming, type Ports, startLab, UNSHARE } from './lab.ts';

/** The facts of a lab that is not up: all of them follow from the profile. Pods have no names and addresses yet. */
export const labFacts = (platform: Platform): Facts => ({
  target: 'lab',
  platform: platform.name,
  topology: topology(platform),
  timing: labTiming,
  pods: Object.entries(platform.components).flatMap(([service, { pods, port }]) =>
    Array.from({ length: pods }, (_, n) => ({
      name: `${service}-${n}`,
      uid: `${service}-${n}`,
      service,
      ip: '',
      port,
      ready: true,
    })),
  ),
});

/** Throws Unreachable with what to change when this kernel lets nobody make namespaces. */
export const mayUnshare = async (): Promise<void> => {
  try {
    await run({ name: 'unshare', argv: [...UNSHARE, 'ip', 'link', 'set', 'lo', 'up'] });
  } catch {
    throw new Unreachable(
      'this machine lets you make no namespaces of your own, which the lab lives in; as root: sysctl -w kernel.unprivileged_userns_clone=1 (Debian), user.max_user_namespaces=10000 (RHEL), kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu); `firedrill doctor` tells which',
    );
  }
};

export const openLab = async (
  platform: Platform,
  seed: number,
  onProgress: (line: string) => void,
  ports: Ports = ANY_PORTS,
  receivers: Receivers = NO_RECEIVERS,
): Promise<Lab> => {
  const found = await tools(LAB_TOOLS, { onProgress });
  await mayUnshare();
  return startLab({ platform, seed, tools: found, ports, receivers, say: onProgress });
};
