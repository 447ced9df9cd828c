// Places that a fault is given by its author: `order-service`, `service:order-service`, `api-gateway->order-service`.
import { Usage } from '../errors.ts';
import { ends, type Ref } from '../model.ts';
import type { Facts, Place } from '../targets/target.ts';

/** A component or an edge by its short or full name; throws Usage when it reads as neither. */
export const refOf = (text: string): Ref => {
  const bare = text.replace(/^(service|edge):/, '');
  const [from, to, ...more] = bare.split('->');
  const isName = (name: string | undefined): boolean => name !== undefined && /^[^:>\s]+$/.test(name);
  if (isName(from) && to === undefined) return `service:${from}`;
  if (isName(from) && isName(to) && more.length === 0) return `edge:${from}->${to}`;
  throw new Usage(`'${text}' names neither a component (order-service) nor an edge (api-gateway->order-service)`);
};

export const serviceOf = (ref: Ref): string | null =>
  ref.startsWith('service:') ? ref.slice('service:'.length) : null;

/** The reference as a target understands it. */
export const placeOf = (ref: Ref): Place => ends(ref) ?? { service: serviceOf(ref) ?? ref };

/** Throws Usage, with what there is to choose from, when the platform has no such component or edge. */
export const mustExist = (ref: Ref, { topology, platform }: Facts): void => {
  const edge = ends(ref);
  const service = serviceOf(ref);
  if (edge && !topology.edges.some(({ from, to }) => from === edge.from && to === edge.to)) {
    const into = topology.edges.map(({ from, to }) => `${from}->${to}`).join(', ');
    throw new Usage(`platform ${platform} has no edge ${edge.from}->${edge.to}; it has: ${into}`);
  }
  if (service && !topology.components.includes(service)) {
    throw new Usage(`platform ${platform} has no component '${service}'; it has: ${topology.components.join(', ')}`);
  }
};

/** Who can try to reach the place from inside: the edge's caller, or one of the component's callers; null is the users. */
export const vantage = (ref: Ref, { topology }: Facts): string | null => {
  const edge = ends(ref);
  if (edge) return edge.from;
  return topology.edges.find(({ to, from }) => to === serviceOf(ref) && from !== to)?.from ?? null;
};

export const calleeOf = (ref: Ref): string => ends(ref)?.to ?? serviceOf(ref) ?? ref;
