// What flows show: which connections' packets were forwarded, dropped or answered with a reset, by who called whom.
import { type Edge, edge, type FlowItem, type Topology } from '../../model.ts';
import { type Chart, chart } from './chart.ts';
import { type Roles, rates } from './series.ts';
import type { Timeline } from './timeline.ts';

export const flowCharts = (
  timeline: Timeline,
  flows: readonly FlowItem[],
  { edges }: Topology,
  roles: Roles,
): Chart[] => {
  const known = new Set(edges.map(({ from, to }) => edge(from, to)));
  const by = (flow: FlowItem): string => wayOf(flow, known);
  const drawn = (title: string, says: string, some: readonly FlowItem[]): Chart[] =>
    chart(timeline, { title, says, unit: '/s' }, rates(timeline, some, by), roles);
  return [
    ...drawn('Dropped', 'Packets that the network turned away.', flows.filter(dropped)),
    ...drawn(
      'Reset',
      'Packets with RST, whoever sent them.',
      flows.filter(({ flags }) => flags.includes('RST')),
    ),
    ...drawn(
      'Forwarded',
      'Packets that went through, both ways.',
      flows.filter(({ verdict }) => verdict === 'FORWARDED'),
    ),
  ];
};

const dropped = ({ verdict }: FlowItem): boolean => verdict === 'DROPPED' || verdict === 'ERROR';

/** From the caller to the called. Where the observer does not know which is which, the platform's edges tell. */
const wayOf = ({ source, destination, reply }: FlowItem, known: ReadonlySet<string>): string => {
  const there: Edge = { from: source.service ?? 'outside', to: destination.service ?? 'outside' };
  const [way, back] = [edge(there.from, there.to), edge(there.to, there.from)];
  const isReply = reply ?? (!known.has(way) && known.has(back));
  return isReply ? back : way;
};
