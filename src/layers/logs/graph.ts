// Who calls whom, directly and in the end.
import type { Topology } from '../../model.ts';

export const callersOf = ({ edges }: Topology, service: string): string[] =>
  edges.filter(({ from, to }) => to === service && from !== service).map(({ from }) => from);

/** Every component that a request to `service` may reach, without the component itself unless it is in a circle. */
export const reachable = ({ edges }: Topology, service: string): Set<string> => {
  const seen = new Set<string>();
  const open = [service];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    for (const { from, to } of edges) {
      if (from !== one || seen.has(to)) continue;
      seen.add(to);
      open.push(to);
    }
  }
  return seen;
};
