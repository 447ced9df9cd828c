// Where the ends of a conversation are looked for in a table: the same place for both directions.
import { randomInt } from 'node:crypto';

/** Chosen anew by every process: nobody can make a capture whose conversations all share one chain. */
const SEED = randomInt(2 ** 31);

/** An address of four words in one; of IPv4 that is its last. */
export const wordOf = (w0: number, w1: number, w2: number, w3: number): number =>
  w0 === 0 && w1 === 0 ? w3 : Math.imul(Math.imul(w0 ^ w1, 0x27d4eb2f) ^ w2, 0x165667b1) ^ w3;

/** Each end is mixed by itself, by its address in one word and its port, and the two are added. */
export const hashOf = (source: number, sourcePort: number, destination: number, destinationPort: number): number =>
  spread(endHash(source, sourcePort) + endHash(destination, destinationPort));

/** Odd multipliers mix upwards, spread() brings it down again: MurmurHash3's finaliser (Appleby, public domain). */
const endHash = (address: number, port: number): number => {
  const mixed = Math.imul(address ^ SEED, 0x9e3779b1);
  return Math.imul((mixed ^ (mixed >>> 15)) + port, 0x85ebca6b);
};

const spread = (hash: number): number => {
  const once = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return twice ^ (twice >>> 16);
};
