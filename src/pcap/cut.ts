// Cuts the packets of chosen requests out of a capture.
import { serialOf } from './connections.ts';
import type { Accept } from './filter.ts';
import { SYN } from './headers.ts';
import type { Visit } from './records.ts';
import type { Stretch } from './survey.ts';
import { createTracker } from './tracker.ts';
import type { PcapWriter } from './write.ts';

export type Cutter = { readonly visit: Visit; written(): number };

/**
 * Takes the same packets through `visit` that a survey has taken, with the same filter, and writes those of its stretches,
 * and the SYNs of their conversations, so that what opens the new capture can follow them.
 */
export const createCutter = (accept: Accept, stretches: readonly Stretch[], to: PcapWriter): Cutter => {
  // The last first, so that those that are over can be taken off the end.
  const bySerial = Map.groupBy(stretches.toReversed(), ({ serial }) => serial);
  let written = 0;
  let wanted = false;
  const tracker = createTracker(
    accept,
    (it) => (side, h) => {
      const parts = bySerial.get(serialOf(it, side >> 1));
      wanted = parts !== undefined && ((h.flags & SYN) !== 0 || within(parts, tracker.passed.packets));
    },
    () => {},
  );
  return {
    visit(bytes, from, end, length, linkType, seconds, nanos) {
      wanted = false;
      tracker.visit(bytes, from, end, length, linkType, seconds, nanos);
      if (!wanted) return;
      to.packet(bytes, from, end, length, linkType, seconds, nanos);
      written += 1;
    },
    written: () => written,
  };
};

/** Stretches of one conversation come one after the other: those that are over are let go. */
const within = (parts: Stretch[], packet: number): boolean => {
  while (parts.length > 0 && parts.at(-1)!.to < packet) parts.pop();
  return parts.length > 0 && parts.at(-1)!.from <= packet;
};
