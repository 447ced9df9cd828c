import { describe, expect, test } from '@jest/globals';
import { failuresFirst } from '../../src/layers/failures-first.ts';
import { type Suspect, service, type Trouble } from '../../src/model.ts';

const suspect = (name: string, kind: Trouble, score: number): Suspect => ({
  ref: service(name),
  kind,
  score,
  since: 0n,
  why: '',
  evidence: [],
});
const order = (...all: Suspect[]) => failuresFirst(all).map(({ ref, score }) => [ref, score]);

describe('suspects', () => {
  test('that are late stand behind those that fail, however many answers say that they are late', () => {
    expect(order(suspect('a', 'slow', 0.8), suspect('b', 'absent', 0.6))).toEqual([
      ['service:b', 0.6],
      ['service:a', 0.4],
    ]);
  });

  test('that are late keep their score where nobody fails outright', () => {
    expect(order(suspect('a', 'slow', 0.6), suspect('b', 'erroring', 0.5), suspect('c', 'slow', 0.7))).toEqual([
      ['service:c', 0.7],
      ['service:a', 0.6],
      ['service:b', 0.5],
    ]);
  });
});
