// Cuts the packets of chosen requests out of a capture.
import { oneByOne, type Take } from './block.ts';
import { connectionTable } from './connections.ts';
import type { Accept } from './filter.ts';
import { emptyHeaders, FLAG, type Headers, readHeaders } from './headers.ts';
import type { Stretch } from './survey.ts';
import type { PcapWriter } from './write.ts';

export type Cutter = { readonly take: Take; written(): number };

/**
 * Takes the same packets through `take` that a survey has taken, with the same filter, and writes those of its stretches,
 * and the SYNs before them, so that what opens the new capture can follow their conversations.
 */
export const createCutter = (accept: Accept, stretches: readonly Stretch[], to: PcapWriter): Cutter => {
  const wanted = wanting(stretches);
  const headers = emptyHeaders();
  let packet = 0;
  let written = 0;
  return {
    take: oneByOne((bytes, from, end, length, linkType, seconds, nanos) => {
      packet += 1;
      if (!readHeaders(linkType, bytes, from, end, headers) || !accept(headers) || !wanted(headers, packet)) return;
      to.packet(bytes, from, end, length, linkType, seconds, nanos);
      written += 1;
    }),
    written: () => written,
  };
};

const wanting = (stretches: readonly Stretch[]): ((h: Headers, packet: number) => boolean) => {
  const table = connectionTable(() => {}, Math.max(1, stretches.length));
  // The last first, so that those that are over can be taken off the end.
  const bySlot = Map.groupBy(stretches.toReversed(), ({ ends }) => table.side({ ...emptyHeaders(), ...ends }) >> 1);
  return (h, packet) => {
    const parts = bySlot.get(table.find(h));
    if (!parts) return false;
    while (parts.length > 0 && parts.at(-1)!.to < packet) parts.pop();
    const next = parts.at(-1);
    return next !== undefined && packet >= (h.flags & FLAG.SYN ? next.since : next.from);
  };
};
