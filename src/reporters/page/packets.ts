// What captures show: how long TCP took, and what it did in vain, by who called whom.
import { edge, type PacketItem } from '../../model.ts';
import { type Chart, chart } from './chart.ts';
import { quantiles, type Roles, rates } from './series.ts';
import type { Timeline } from './timeline.ts';

type Event = PacketItem['event'];

const COUNTED: readonly (readonly [title: string, says: string, events: readonly Event[]])[] = [
  ['Unanswered', 'SYNs and requests that nothing answered.', ['unanswered', 'silent']],
  ['Refused and reset', 'Connections refused, or reset later.', ['refused', 'reset']],
  ['Retransmissions', 'Data that was sent again.', ['retransmission']],
];
const TIMED: readonly (readonly [title: string, says: string, event: Event])[] = [
  ['Exchanges', '95th percentile from the end of a request to the first byte of its answer.', 'exchange'],
  ['Handshakes', '95th percentile from SYN to SYN+ACK.', 'handshake'],
];

export const packetCharts = (timeline: Timeline, packets: readonly PacketItem[], roles: Roles): Chart[] => [
  ...COUNTED.flatMap(([title, says, events]) => {
    const some = packets.filter(({ event }) => events.includes(event));
    return chart(timeline, { title, says, unit: '/s' }, rates(timeline, some, way), roles);
  }),
  ...TIMED.flatMap(([title, says, event]) => {
    const some = packets.filter((one) => one.event === event && one.ms !== null);
    const p95 = quantiles(timeline, some, way, ({ ms }) => ms ?? 0, 0.95);
    return chart(timeline, { title, says, unit: 'ms' }, p95, roles);
  }),
];

const way = ({ client, server }: PacketItem): string => edge(client.service ?? 'outside', server.service ?? 'outside');
