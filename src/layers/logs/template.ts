// A line's message without what changes from line to line, so that lines of one statement can be counted together.

const MASKS: readonly (readonly [RegExp, string])[] = [
  [/"[^"]*"|'[^']*'/g, '<text>'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<id>'],
  [/\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b/g, '<address>'],
  [/\b(?=[\w-]*\d)[\w-]*[a-z_-][\w-]*\b/gi, '<id>'],
  [/\b\d+(?:[.:]\d+)*\b/g, '<number>'],
];

/** Masks, in this order: quoted text, UUIDs, addresses, words with digits in them, numbers. */
export const template = (message: string): string =>
  MASKS.reduce((text, [pattern, mask]) => text.replace(pattern, mask), message.slice(0, 300));
