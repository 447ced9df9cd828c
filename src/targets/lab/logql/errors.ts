// What is wrong with a query, in the words and with the place that Loki gives.

/** A query that can't be answered; the message is the text of the HTTP 400 answer. */
export class BadQuery extends Error {
  override readonly name = 'BadQuery';
}

/** `parse error at line L, col C: …`, both counted from 1, for the character at `offset` of the query. */
export const badAt = (query: string, offset: number, what: string): BadQuery => {
  const before = query.slice(0, offset).split('\n');
  return new BadQuery(`parse error at line ${before.length}, col ${before.at(-1)!.length + 1}: ${what}`);
};
