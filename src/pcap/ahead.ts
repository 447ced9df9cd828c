// The quick way for what most of a capture is: packets that come next in conversations that are known.
import { type Block, IN_BLOCK } from './block.ts';
import { type Connections, PLACE, SIDE, SIDE_DOUBLES, SLOT, SLOT_DOUBLES } from './connections.ts';
import { lookupIn } from './lookup.ts';
import { emptyPlain, IN_PLAIN } from './plain.ts';
import { takeNext } from './sequence.ts';

const { WORDS, DOUBLES } = PLACE;
const { PACKETS } = SIDE;
const { OCTETS } = SIDE_DOUBLES;
const { RECENT } = SLOT;
const { LAST_AT } = SLOT_DOUBLES;
const { WORDS: BLOCK_WORDS, LENGTH, NANOS } = IN_BLOCK;
const { WORDS: PLAIN_WORDS } = IN_PLAIN;

export type Ahead = {
  /** Looks ahead: reads all packets of a block, and finds their conversations. */
  look(bytes: Buffer, block: Block): void;
  /**
   * Takes the packets of that block from place `from` on, up to the first that does not come next in a conversation that is known;
   * its place. `base` is the second that times are counted from.
   */
  run(block: Block, from: number, base: number): number;
  /** What was found of this slot does not count any more: it is given to another conversation. */
  forget(slot: number): void;
};

export const createAhead = (it: Connections): Ahead => {
  const plain = emptyPlain();
  const { words: found } = plain;
  const find = lookupIn(it, plain);

  const take = ({ words, seconds }: Block, n: number, base: number): boolean => {
    const side = found[n << PLAIN_WORDS]!;
    const nanos = words[(n << BLOCK_WORDS) + NANOS]!;
    if (side < 0 || (seconds[n] === 0 && nanos === 0)) return false;
    const at = (seconds[n]! - base) * 1e9 + nanos;
    if (!takeNext(it, side, found, n, at)) return false;
    it.sides[(side << WORDS) + PACKETS]! += 1;
    it.sideDoubles[(side << DOUBLES) + OCTETS]! += words[(n << BLOCK_WORDS) + LENGTH]! >>> 0;
    it.slotDoubles[((side >> 1) << DOUBLES) + LAST_AT] = at;
    it.slots[((side >> 1) << WORDS) + RECENT] = 1;
    return true;
  };

  return {
    look(bytes, block) {
      plain.read(bytes, block);
      find(block.count);
    },
    run(block, from, base) {
      let n = from;
      while (n < block.count && take(block, n, base)) n += 1;
      return n;
    },
    forget: plain.forget,
  };
};
