import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Nanos } from '../../../../src/model.ts';
import type { Packet } from '../../../../src/pcap/decode.ts';
import { createMatcher, type Told } from '../../../../src/targets/kubernetes/node/match.ts';

const packet = (seq: number, changes: Partial<Packet> = {}): Packet => ({
  source: '10.0.0.1',
  destination: '10.0.0.2',
  protocol: 'TCP',
  sourcePort: 40_000,
  destinationPort: 80,
  flags: { syn: false, ack: true, fin: false, rst: false, psh: true },
  seq,
  ack: 7,
  payload: Buffer.from(`n${seq}`),
  payloadLength: 100,
  ipId: seq,
  prefix: null,
  cooked: null,
  received: null,
  ...changes,
});

const matching = (capacity = 100) => {
  const told: Told[] = [];
  let unknown = 0;
  const onUnknown = (count: number): void => {
    unknown += count;
  };
  const matcher = createMatcher({ capacity, onTold: (one) => told.push(one), onUnknown });
  return { matcher, told, unknown: () => unknown, verdicts: () => told.map((one) => [one.packet.seq, one.verdict]) };
};

describe('a packet that was seen before anybody could drop it', () => {
  test('and after, was forwarded: told at once, with the earlier time and the earlier payload', () => {
    const { matcher, told } = matching();
    matcher.early(packet(1), 10n, false);
    matcher.late(packet(1, { payload: Buffer.alloc(0) }), 15n, false);
    expect(told).toEqual([{ packet: packet(1), at: 10n, reply: false, verdict: 'FORWARDED' }]);
  });

  test('and not after, was dropped, but only once all that came until then is known', () => {
    const { matcher, verdicts } = matching();
    matcher.early(packet(1), 10n, false);
    matcher.settle(9n);
    expect(verdicts()).toEqual([]);
    expect([matcher.waiting(9n), matcher.waiting(10n)]).toEqual([false, true]);
    matcher.settle(10n);
    expect(verdicts()).toEqual([[1, 'DROPPED']]);
  });

  test('and not after, while sightings were lost, is neither forwarded nor dropped: nobody knows', () => {
    const { matcher, verdicts, unknown } = matching();
    matcher.early(packet(1), 10n, false);
    matcher.doubt();
    matcher.early(packet(2), 11n, false);
    matcher.settle(20n);
    expect(verdicts()).toEqual([[2, 'DROPPED']]);
    expect(unknown()).toBe(1);
  });

  test('has the destination that it had after, when that was translated in between', () => {
    const { matcher, told } = matching();
    matcher.early(packet(1, { destination: '10.96.0.1' }), 10n, false);
    matcher.late(packet(1, { destinationPort: 8080 }), 11n, false);
    expect(told[0]!.packet).toMatchObject({ destination: '10.0.0.2', destinationPort: 8080 });
  });

  test('keeps its payload, though the buffer that it came in is used again', () => {
    const { matcher, told } = matching();
    const payload = Buffer.from('GET / HTTP/1.1');
    matcher.early(packet(1, { payload }), 10n, false);
    payload.fill(0);
    matcher.late(packet(1), 11n, false);
    expect(told[0]!.packet.payload.toString()).toBe('GET / HTTP/1.1');
  });
});

test('a packet whose first sighting was lost was forwarded all the same', () => {
  const { matcher, verdicts } = matching();
  matcher.late(packet(1), 10n, true);
  expect(verdicts()).toEqual([[1, 'FORWARDED']]);
});

test('a packet sent again after the first was dropped: one dropped, one forwarded, in that order', () => {
  const { matcher, told } = matching();
  matcher.early(packet(1, { ipId: 0 }), 10n, false);
  matcher.early(packet(1, { ipId: 0 }), 20n, false);
  matcher.late(packet(1, { ipId: 0 }), 21n, false);
  matcher.settle(30n);
  expect(told.map(({ at, verdict }) => [at, verdict])).toEqual([
    [10n, 'DROPPED'],
    [20n, 'FORWARDED'],
  ]);
});

test('what waits is bounded: the oldest beyond it is counted, not told', () => {
  const { matcher, verdicts, unknown } = matching(2);
  for (const seq of [1, 2, 3]) matcher.early(packet(seq), BigInt(seq), false);
  expect(unknown()).toBe(1);
  matcher.settle(9n);
  expect(verdicts()).toEqual([
    [2, 'DROPPED'],
    [3, 'DROPPED'],
  ]);
});

/** What happens to each packet on its way, and when its second sighting comes. */
const fates = fc.array(
  fc.record({
    passes: fc.boolean(),
    after: fc.integer({ min: 0, max: 5 }),
    earlyLost: fc.boolean(),
    ipv6: fc.boolean(),
  }),
  { maxLength: 40 },
);

test('in any interleaving each packet is told once, as what it was, and in the order in which they came', () => {
  fc.assert(
    fc.property(fates, (all) => {
      const { matcher, told, unknown } = matching();
      const events = all.flatMap(({ passes, after, earlyLost, ipv6 }, i) => {
        const one = packet(i, ipv6 ? { ipId: 0 } : {});
        const early = { at: i * 2, act: (at: Nanos) => matcher.early(one, at, false) };
        const late = { at: i * 2 + 1 + after * 2, act: (at: Nanos) => matcher.late(one, at, false) };
        return [...(earlyLost ? [] : [early]), ...(passes ? [late] : [])];
      });
      for (const { at, act } of events.sort((a, b) => a.at - b.at)) {
        matcher.settle(BigInt(at - 20));
        act(BigInt(at));
      }
      matcher.settle(1000n);
      const expected = all.flatMap(({ passes, earlyLost }, i) =>
        passes || !earlyLost ? [[i, passes ? 'FORWARDED' : 'DROPPED']] : [],
      );
      const bySeq = told
        .map(({ packet: { seq }, verdict }) => [seq, verdict])
        .sort((a, b) => Number(a[0]) - Number(b[0]));
      expect(bySeq).toEqual(expected);
      const seenEarly = told.filter(({ packet: { seq } }) => !all[seq]!.earlyLost).map(({ packet: { seq } }) => seq);
      expect(seenEarly).toEqual([...seenEarly].sort((a, b) => a - b));
      expect(unknown()).toBe(0);
    }),
  );
});

test('whatever is lost, nothing that passed is told as dropped when every loss is known before it is settled', () => {
  const steps = fc.array(fc.record({ passes: fc.boolean(), lateLost: fc.boolean() }), { maxLength: 40 });
  fc.assert(
    fc.property(steps, (all) => {
      const { matcher, told, unknown } = matching();
      all.forEach(({ passes, lateLost }, i) => {
        matcher.early(packet(i), BigInt(i), false);
        if (passes && !lateLost) matcher.late(packet(i), BigInt(i), false);
        if (passes && lateLost) matcher.doubt();
        matcher.settle(BigInt(i - 3));
      });
      matcher.settle(1000n);
      for (const { packet: one, verdict } of told) expect(verdict).toBe(all[one.seq]!.passes ? 'FORWARDED' : 'DROPPED');
      expect(told.length + unknown()).toBe(all.length);
    }),
  );
});
