import { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { fromMs, systemClock } from '../../src/time.ts';
import { fromLine } from '../../src/traffic/ledger.ts';
import { type Done, tellTraffic } from '../../src/traffic/tell.ts';
import { every, planAt } from './helpers.ts';

const turns = async (n: number): Promise<void> => {
  for (let i = 0; i < n; i += 1) await turn();
};

/** Takes a chunk at every tenth turn of the event loop; `most` is the most bytes that ever waited. */
const slowReader = () => {
  const chunks: string[] = [];
  const seen = { most: 0 };
  const output: Writable = new Writable({
    decodeStrings: false,
    write: (chunk: string, _encoding, done) => {
      chunks.push(chunk);
      seen.most = Math.max(seen.most, output.writableLength);
      void turns(10).then(() => done());
    },
  });
  return { output, seen, lines: () => chunks.join('').trimEnd().split('\n') };
};

describe('traffic that is told', () => {
  test('and given up waits for its reader: millions of requests that will not be sent are not in memory at once', async () => {
    const { output, seen, lines } = slowReader();
    const ending = new AbortController();
    const plan = planAt('http://127.0.0.1:1', every(1, 20_000), 1000);
    const startAt = systemClock.now() + fromMs(3_600_000);
    const telling = tellTraffic({ plan, startAt, output, ending });
    ending.abort();
    await telling;
    const told = lines();
    const { done, records } = JSON.parse(told.pop()!) as Done;
    expect(records).toBe(20_000);
    expect(done).toMatchObject({ planned: 20_000, sent: 0, aborted: 20_000 });
    expect(told.map(fromLine).map(({ n }) => n)).toEqual(plan.requests.map(({ n }) => n));
    expect(seen.most).toBeLessThan(1_000_000);
  });
});
