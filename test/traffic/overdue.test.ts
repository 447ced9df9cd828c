import { expect, test } from '@jest/globals';
import { fromMs } from '../../src/time.ts';
import { untold } from '../../src/traffic/ledger.ts';
import { overdue } from '../../src/traffic/overdue.ts';
import { planAt } from './helpers.ts';

const START = 1_800_000_000_000_000_000n;
const plan = planAt('http://127.0.0.1:1', [0, 10, 20, 30], 1000);

test('a client that comes up late says of what it has missed that it was not sent, and of nothing else', () => {
  const missed = [...overdue(plan, START, START + fromMs(20))];
  expect(missed.map(({ n }) => n)).toEqual([0, 1]);
  expect(missed.every(untold)).toBe(true);
  expect(missed[0]).toMatchObject({ sent: null, error: 'not sent: the client came up 20 ms after the start' });
});

test('a client that is up in time has missed nothing', () => {
  expect([...overdue(plan, START, START)]).toEqual([]);
});
