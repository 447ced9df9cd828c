import { describe, expect, test } from '@jest/globals';
import { queue } from '../src/queue.ts';

const all = async <T>(values: AsyncIterable<T>): Promise<T[]> => {
  const taken: T[] = [];
  for await (const value of values) taken.push(value);
  return taken;
};

describe('a queue', () => {
  test('gives what was put in, in that order, before the reading or in it', async () => {
    const it = queue<number>();
    it.push(1);
    it.push(2);
    const reading = all(it);
    await Promise.resolve();
    it.push(3);
    it.push(4);
    it.end(null);
    expect(await reading).toEqual([1, 2, 3, 4]);
  });

  test('that has ended still gives what was in it, and then its error', async () => {
    const it = queue<number>();
    it.push(1);
    it.end(new Error('the traffic client ended with SIGSEGV'));
    const reader = it[Symbol.asyncIterator]();
    expect(await reader.next()).toEqual({ value: 1, done: false });
    await expect(reader.next()).rejects.toThrow('SIGSEGV');
  });

  test('that ends while somebody waits lets them go', async () => {
    const it = queue<number>();
    const reading = all(it);
    it.end(null);
    expect(await reading).toEqual([]);
  });
});
