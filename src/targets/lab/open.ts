// Opens a lab for a platform: fetches what it needs, and tells in advance what a plan must know of it.
import { type Platform, topology } from '../../platform.ts';
import { tools } from '../../tools.ts';
import type { Facts } from '../target.ts';
import { LAB_TOOLS, NO_RECEIVERS, type Receivers } from './config.ts';
import { ANY_PORTS, type Lab, labTiming, type Ports, startLab } from './lab.ts';
import { mayUnshare } from './namespaces.ts';

/** The facts of a lab that is not up: all of them follow from the profile. Pods have no names and addresses yet. */
export const labFacts = (platform: Platform): Facts => ({
  target: 'lab',
  platform: platform.name,
  topology: topology(platform),
  timing: labTiming(platform),
  lacks: [],
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

export const openLab = async (
  platform: Platform,
  seed: number,
  onProgress: (line: string) => void,
  ports: Ports = ANY_PORTS,
  receivers: Receivers = NO_RECEIVERS,
): Promise<Lab> => {
  await mayUnshare();
  const found = await tools(LAB_TOOLS, { onProgress });
  return startLab({ platform, seed, tools: found, ports, receivers, say: onProgress });
};
