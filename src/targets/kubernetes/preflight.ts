// Before anything is made: may we do all that we are about to do, and can every layer that is asked for be seen at all?
import { Unreachable } from '../../errors.ts';
import type { FaultSpec } from '../../faults/fault.ts';
import { type LayerName, service } from '../../model.ts';
import type { Found } from './backends.ts';
import { groups, rights } from './check.ts';
import type { Cluster } from './cluster.ts';
import type { BackendName, Mapping } from './mapping.ts';
import { permissions, type Wanted } from './rbac.ts';

/**
 * Throws Unreachable, with every verb that is refused, where it is and what it is for. Of the observers' namespaces only
 * those count in which a backend was found.
 */
export const mustBePermitted = async (
  cluster: Cluster,
  mapping: Mapping,
  backends: Found,
  fault: FaultSpec,
  wanted: Omit<Wanted, 'cilium'>,
): Promise<void> => {
  const cilium = (await groups(cluster)).includes('cilium.io');
  const used = new Set(mapping.namespaces);
  for (const at of Object.values(backends)) if (at !== null && typeof at === 'object') used.add(at.namespace);
  const needed = permissions([fault], mapping, { ...wanted, cilium }).filter(({ namespace }) => used.has(namespace));
  const refused = (await rights(cluster, needed)).filter(({ is }) => is === 'bad');
  if (refused.length > 0) throw new Unreachable(refused.map(({ says }) => says).join('; '));
};

const BEHIND: Readonly<Record<LayerName, readonly BackendName[]>> = {
  traces: ['jaeger'],
  metrics: ['prometheus'],
  alerts: ['prometheus', 'alertmanager'],
  logs: ['loki'],
  flows: ['hubble'],
  packets: [],
};

/** Throws Unreachable when a layer has to notice something and the cluster shows nothing that it could be read from. */
export const mustBeVisible = (
  wanted: readonly LayerName[],
  backends: Found,
  capture: boolean,
  { observability }: Mapping,
): void => {
  const hidden = wanted.flatMap((layer) => {
    if (layer === 'packets' && !capture) return ['packets is asked for, and --no-capture leaves it out'];
    const missing = BEHIND[layer].filter((name) => backends[name] === null);
    return missing.map(
      (name) =>
        `${layer} is asked for, and no ${name} was found in ${observability.join(', ') || 'any namespace'}: name it with --${name} or in the profile`,
    );
  });
  if (hidden.length > 0) throw new Unreachable(hidden.join('; '));
};

/**
 * Throws Unreachable when the users' requests would not cross the fault: a port-forward comes out inside the entry
 * component's own pod, past whatever holds for its network.
 */
export const mustBeCrossed = (fault: FaultSpec, { entry, entryUrl }: Mapping, workers: number): void => {
  const onTheWay = fault.kind === 'latency' || fault.kind === 'networkPolicy';
  if (!onTheWay || fault.on !== service(entry) || workers > 0 || entryUrl !== null) return;
  throw new Unreachable(
    `a port-forward passes by what is done to the network of ${entry}, where users come in: send the traffic with --workers 1 or name the ingress in kubernetes.entry of the profile`,
  );
};
