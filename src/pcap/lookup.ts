// Finds the conversations of a block's plain packets, all at once. What is asked of the memory in a loop of its own is on its way
// together; packet by packet each would wait for the one before.
import { type Connections, PLACE, SLOT } from './connections.ts';
import { IANA } from './headers.ts';
import { FOUND, IN_PLAIN, type Plain } from './plain.ts';

const { WORDS } = PLACE;
const { TCP } = IANA;
const { UNKNOWN } = FOUND;
/** The third word of an IPv4 address. */
const MAPPED = 0xffff;
const { PORTS, PROTOCOL, CHAIN } = SLOT;
const { SIDE, SOURCE, DESTINATION, BOTH_PORTS, HASH, WARM } = IN_PLAIN;
const NEXT = 1 << IN_PLAIN.WORDS;

/**
 * Finds the sides that sent the first `count` packets in `plain`, each time it is called. What it found of a slot counts until
 * that is given to another conversation.
 */
export const lookupIn = ({ slots, sides, heads }: Connections, { words }: Plain): ((count: number) => void) => {
  const mask = heads.length - 1;

  /** From where the packets' records are to the slots that they may be of, plus 1. */
  const toSlots = (end: number): void => {
    for (let at = SIDE; at < end; at += NEXT) if (words[at] === UNKNOWN) words[at] = heads[words[at + HASH]! & mask]!;
  };

  const toSides = (end: number): void => {
    for (let at = SIDE; at < end; at += NEXT) if (words[at]! >= 0) words[at] = sideOf(at, words[at]! - 1);
  };

  /** The side that sent this packet, of the conversations that are chained to `slot`, or UNKNOWN. */
  const sideOf = (at: number, slot: number): number => {
    const source = words[at + SOURCE]!;
    const destination = words[at + DESTINATION]!;
    const ports = words[at + BOTH_PORTS]!;
    const inOrder = source < destination || (source === destination && ports >>> 16 <= (ports & 0xffff));
    const found = inOrder
      ? slotOf(slot, source, destination, ports)
      : slotOf(slot, destination, source, (ports << 16) | (ports >>> 16));
    return found < 0 ? UNKNOWN : 2 * found + (inOrder ? 0 : 1);
  };

  const slotOf = (slot: number, one: number, other: number, ports: number): number => {
    while (slot >= 0 && !isKey(slots, slot << WORDS, one, other, ports)) slot = slots[(slot << WORDS) + CHAIN]! - 1;
    return slot;
  };

  /** Only so that the sides are near when their packets are taken. */
  const warm = (end: number): void => {
    for (let at = SIDE; at < end; at += NEXT) if (words[at]! >= 0) words[at + WARM] = sides[words[at]! << WORDS]!;
  };

  return (count) => {
    const end = count * NEXT;
    toSlots(end);
    toSides(end);
    warm(end);
  };
};

/** Whether the slot at `at` has these ends, the smaller one first, of IPv4 and TCP. */
const isKey = (slots: Int32Array, at: number, one: number, other: number, ports: number): boolean =>
  slots[at + PORTS] === ports &&
  slots[at + 3] === one &&
  slots[at + 7] === other &&
  slots[at + PROTOCOL] === TCP &&
  slots[at + 2] === MAPPED &&
  slots[at + 6] === MAPPED &&
  (slots[at]! | slots[at + 1]! | slots[at + 4]! | slots[at + 5]!) === 0;
