// Packets side by side: what is done with one of them after the other in a short loop costs less than all of it with each in turn.
import type { Visit } from './records.ts';

/**
 * Packets that lie in the same bytes, in their order. The record of packet n begins at word `n << WORDS` of `words`, and has what
 * Visit says of it but for the seconds, which may be more than a word holds.
 */
export type Block = { count: number; readonly words: Int32Array; readonly seconds: Float64Array };

export const IN_BLOCK = {
  /** So few packets that what is known of all of them stays in the nearest of a processor's caches. */
  MOST: 256,
  WORDS: 3,
  FROM: 0,
  TO: 1,
  LENGTH: 2,
  LINK_TYPE: 3,
  NANOS: 4,
} as const;

const { MOST, WORDS, FROM, TO, LENGTH, LINK_TYPE, NANOS } = IN_BLOCK;

/** Takes the packets of a block, which like its bytes are valid only during the call. */
export type Take = (bytes: Buffer, block: Block) => void;

export type Gatherer = {
  readonly visit: Visit;
  /** Hands over what was gathered: to be called before the bytes of the packets change. */
  flush(): void;
};

/** Gathers packets into blocks for `take`. */
export const gather = (take: Take): Gatherer => {
  const words = new Int32Array(MOST << WORDS);
  const block: Block = { count: 0, words, seconds: new Float64Array(MOST) };
  let bytes: Buffer = Buffer.alloc(0);
  const flush = (): void => {
    if (block.count > 0) take(bytes, block);
    block.count = 0;
  };
  return {
    flush,
    visit(of, from, to, length, linkType, seconds, nanos) {
      if (block.count === MOST) flush();
      const at = block.count << WORDS;
      if (of !== bytes) bytes = of;
      words[at + FROM] = from;
      words[at + TO] = to;
      words[at + LENGTH] = length;
      words[at + LINK_TYPE] = linkType;
      words[at + NANOS] = nanos;
      block.seconds[block.count] = seconds;
      block.count += 1;
    },
  };
};

/** Packets of blocks, one by one. */
export const oneByOne =
  (visit: Visit): Take =>
  (bytes, block) => {
    for (let n = 0; n < block.count; n += 1) visitAt(visit, bytes, block, n);
  };

/** Gives one packet of a block to `visit`. */
export const visitAt = (visit: Visit, bytes: Buffer, { words, seconds }: Block, n: number): void => {
  const at = n << WORDS;
  const length = words[at + LENGTH]! >>> 0;
  visit(bytes, words[at + FROM]!, words[at + TO]!, length, words[at + LINK_TYPE]!, seconds[n]!, words[at + NANOS]!);
};
