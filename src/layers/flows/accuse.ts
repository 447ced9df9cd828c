// From a place and its symptoms to an accusation in words.
import type { Trouble } from '../../model.ts';
import { min, type Place } from './locate.ts';
import type { Accusation } from './scene.ts';

const EVIDENCE = 10;

/** A whole component is surer than an edge, and more so the larger the part of the tries that was hurt. */
export const accuse = (place: Place, kind: Trouble, what: string): Accusation => {
  const rises = place.symptoms.map(({ rise }) => rise);
  const share = Math.max(...rises.map((rise) => rise.share));
  const before = Math.max(...rises.map((rise) => rise.before));
  const routes = place.symptoms.map(({ route }) => `${route.from}->${route.to}`).join(', ');
  return {
    ref: place.ref,
    kind,
    at: place.at,
    from: place.from,
    since: min(rises.map(({ since }) => since)),
    score: Math.min(0.99, 0.5 + share / 2),
    why: `${percent(share)} of the tries on ${routes} ${what}, before ${percent(before)}`,
    evidence: [...new Set(interleaved(rises.map(({ evidence }) => evidence)))].slice(0, EVIDENCE),
  };
};

const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** The first of each list, then the second of each, and so on. */
const interleaved = (lists: readonly (readonly string[])[]): string[] => {
  const longest = Math.max(...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, index) => lists.flatMap((list) => list[index] ?? [])).flat();
};
