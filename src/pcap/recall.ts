// Remembers by their bytes the numbers of names that were seen before, since making a text of a name only to look it up
// costs more than all else that is done with a request.

/** The number of the name that lies from `from` to `to`. */
export type NumberOf = (bytes: Buffer, from: number, to: number) => number;

/** Names that are longer are not remembered. A name takes the cell that its hash says, whoever had it before. */
const CELL = 64;
const CELLS = 16_384;

/** The same numbers as `number` gives, which must always give the same one for the same bytes and is asked for new names only. */
export const recalling = (number: NumberOf): NumberOf => {
  const names = Buffer.alloc(CELLS * CELL);
  const lengths = new Uint8Array(CELLS);
  const numbers = new Int32Array(CELLS);
  return (bytes, from, to) => {
    const length = to - from;
    if (length === 0 || length > CELL) return number(bytes, from, to);
    const cell = hashOf(bytes, from, to) & (CELLS - 1);
    if (lengths[cell] === length && isSame(names, cell * CELL, bytes, from, length)) return numbers[cell]!;
    numbers[cell] = number(bytes, from, to);
    bytes.copy(names, cell * CELL, from, to);
    lengths[cell] = length;
    return numbers[cell]!;
  };
};

/** FNV-1a (Fowler, Noll, Vo), its upper half folded into the lower. */
const hashOf = (bytes: Buffer, from: number, to: number): number => {
  let hash = 0x811c9dc5;
  for (let at = from; at < to; at += 1) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return hash ^ (hash >>> 16);
};

const isSame = (names: Buffer, at: number, bytes: Buffer, from: number, length: number): boolean => {
  for (let i = 0; i < length; i += 1) if (names[at + i] !== bytes[from + i]) return false;
  return true;
};
