import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { connectionTable, endOf } from '../../src/pcap/connections.ts';
import { emptyHeaders, type Headers } from '../../src/pcap/headers.ts';

type Ends = { readonly s3: number; readonly d3: number; readonly sourcePort: number; readonly destinationPort: number };

const packet = (ends: Ends): Headers => ({ ...emptyHeaders(), s2: 0xffff, d2: 0xffff, protocol: 6, ...ends });

const back = ({ s3, d3, sourcePort, destinationPort }: Ends): Ends => ({
  ...{ s3: d3, d3: s3, sourcePort: destinationPort, destinationPort: sourcePort },
});

const ends: fc.Arbitrary<Ends> = fc.record({
  s3: fc.integer({ min: -3, max: 3 }),
  d3: fc.integer({ min: 10, max: 12 }),
  sourcePort: fc.constantFrom(1, 65_535, 40_000),
  destinationPort: fc.constantFrom(80, 65_535),
});

describe('the table of conversations', () => {
  test('the same ends are the same slot, both ways, and different ends are different ones', () => {
    fc.assert(
      fc.property(fc.array(ends, { maxLength: 200 }), (all) => {
        const table = connectionTable(() => {}, 256);
        const model = new Map<string, number>();
        for (const one of all) {
          const key = JSON.stringify(one);
          const side = table.side(packet(one));
          expect(table.side(packet(back(one)))).toBe(side ^ 1);
          expect(side).toBe(model.get(key) ?? side);
          expect([...endOf(table.state, side)]).toEqual([0, 0, 0xffff, one.s3, one.sourcePort]);
          model.set(key, side);
        }
        expect(new Set([...model.values()].map((side) => side >> 1)).size).toBe(model.size);
      }),
    );
  });

  test('of very many everybody is found again, and nobody else', () => {
    const table = connectionTable(() => {}, 20_000);
    const talk = (n: number): Ends => ({ s3: n >> 8, d3: 100_000, sourcePort: n & 255, destinationPort: 80 });
    const sides = Array.from({ length: 20_000 }, (_, n) => table.side(packet(talk(n))));
    expect(new Set(sides.map((side) => side >> 1)).size).toBe(20_000);
    expect(sides.map((_, n) => table.side(packet(talk(n))))).toEqual(sides);
    expect(sides.map((_, n) => table.find(packet(back(talk(n)))))).toEqual(sides.map((side) => side >> 1));
    expect(table.find(packet(talk(20_000)))).toBe(-1);
  });

  test('a full table gives up who has been quiet, tells so, and still finds all others', () => {
    const given: number[] = [];
    const table = connectionTable((slot) => given.push(endOf(table.state, 2 * slot)[3]), 4);
    const talk = (n: number): number => table.side(packet({ s3: n, d3: 100, sourcePort: 1, destinationPort: 2 }));
    const sides = [1, 2, 3, 4].map(talk);
    talk(5);
    expect(given).toEqual([1]);
    for (const busy of [2, 4, 5]) talk(busy);
    talk(6);
    expect(given).toEqual([1, 3]);
    expect([talk(2), talk(4)]).toEqual([sides[1], sides[3]]);
    expect(table.evicted()).toBe(2);
  });

  test('however many come and go, nobody is lost or found twice', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 400 }), (all) => {
        const live = new Set<number>();
        const table = connectionTable((slot) => live.delete(endOf(table.state, 2 * slot)[3]), 8);
        for (const n of all) {
          const side = table.side(packet({ s3: n, d3: 100, sourcePort: 1, destinationPort: 2 }));
          live.add(n);
          expect(endOf(table.state, side)[3]).toBe(n);
          expect(live.size).toBeLessThanOrEqual(8);
        }
      }),
    );
  });
});
