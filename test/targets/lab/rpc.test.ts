import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Unreachable } from '../../../src/errors.ts';
import { until } from '../../../src/poll.ts';
import { type Running, start } from '../../../src/process.ts';
import { caller, type Remote } from '../../../src/targets/lab/rpc.ts';
import type { Answerer } from '../../helpers/answerer.ts';

let child: Running;
let remote: Remote<Answerer>;
const events: unknown[] = [];

beforeEach(async () => {
  child = await start({
    name: 'answerer',
    argv: [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      join(import.meta.dirname, '../../helpers/answerer.ts'),
    ],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  remote = caller<Answerer>(child.child, (event, data) => events.push([event, data]), child.complaint);
});
afterEach(() => child.stop());

describe('a call', () => {
  test('gives the method’s result, nothing for nothing', async () => {
    expect(await remote.add(2, 3)).toBe(5);
    expect(await remote.nothing()).toBeUndefined();
  });

  test('does not wait for another that was made before it', async () => {
    const order: unknown[] = [];
    await Promise.all([remote.late(50).then((it) => order.push(it)), remote.add(1, 1).then((it) => order.push(it))]);
    expect(order).toEqual([2, 'late']);
  });

  test('of a method that throws is Unreachable with its message on one line', async () => {
    await expect(remote.fail()).rejects.toBeInstanceOf(Unreachable);
    await expect(remote.fail()).rejects.toThrow(/^no such device: eth0$/);
  });

  test('of a method that is not there is Unreachable, not an answer', async () => {
    const unknown = (remote as unknown as { mend(): Promise<void> }).mend();
    await expect(unknown).rejects.toThrow("the lab has no method 'mend'");
  });

  test('that is open when the other end dies is Unreachable with its last words, as is every later one', async () => {
    const open = remote.late(60_000);
    const leaving = remote.leave();
    await expect(open).rejects.toThrow('the lab ended: out of memory');
    await expect(leaving).rejects.toBeInstanceOf(Unreachable);
    await expect(remote.add(1, 1)).rejects.toThrow(/the lab (has )?ended: out of memory/);
  });
});

test('the other end can tell something of its own accord', async () => {
  await remote.shout();
  await until('the event', () => (events.length > 0 ? true : null), { forMs: 2000, everyMs: 5 });
  expect(events).toEqual([['shouted', { loud: true }]]);
});

test('the remote is no promise, so that it can be handed on by an async function', async () => {
  const handed = await (async () => remote)();
  expect(await handed.add(1, 2)).toBe(3);
});
