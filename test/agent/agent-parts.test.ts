import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ask, control } from '../../src/agent/control.ts';
import { gateways, gateways6 } from '../../src/agent/node-addresses.ts';
import { delayOrder, renewOrder, stayOrder } from '../../src/agent/orders.ts';
import { absent, beat, members, rules } from '../../src/agent/redirect.ts';
import { Usage } from '../../src/errors.ts';

describe('the rules of a delay', () => {
  const way = { ip: '198.18.1.1', port: 8080, to: 15_001 };

  test('replace what is there, and lead only the callers’ connections to the proxy', () => {
    const text = rules(way, { only: ['198.18.2.1', '198.18.2.2', '198.18.2.1'] });
    expect(text.startsWith(absent(way.ip))).toBe(true);
    expect(text).toContain('iif != lo ip saddr @who tcp dport @port redirect to :15001');
    expect(text).toContain('add element ip firedrill_delay who { 198.18.2.1, 198.18.2.2 }');
  });

  test('of a component lead everybody’s but those of whom it spares', () => {
    expect(rules(way, { except: ['198.18.0.1'] })).toContain('iif != lo ip saddr != @who tcp dport @port redirect');
  });

  test('hold only for as long as they are renewed', () => {
    expect(rules(way, { only: [] })).toContain(beat(way.ip, way.port));
    expect(beat(way.ip, way.port)).toBe(
      'flush set ip firedrill_delay port\nadd element ip firedrill_delay port { 8080 timeout 10s }\n',
    );
  });

  test('are of the family of the pod’s address, and addresses of another can’t be meant', () => {
    expect(rules({ ...way, ip: 'fd00::1' }, { only: ['fd00::2', '198.18.2.1'] })).toMatch(
      /type ipv6_addr[\s\S]*ip6 saddr @who[\s\S]*add element ip6 firedrill_delay who \{ fd00::2 \}/,
    );
    expect(members('198.18.1.1', { only: ['fd00::2'] })).toBe('flush set ip firedrill_delay who\n');
  });
});

describe('the node’s addresses', () => {
  test('are read off the routing tables: the gateways of default routes', () => {
    const table = `Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0\t00000000\t014012C6\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t004012C6\t014012C6\t0003\t0\t0\t0\t00C0FFFF\t0\t0\t0
eth1\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0`;
    expect(gateways(table)).toEqual(['198.18.64.1']);
    expect(gateways('')).toEqual([]);
  });

  test('and so are those of IPv6', () => {
    const zero = '0'.repeat(32);
    const to = (net: string, length: string, gateway: string) =>
      `${net} ${length} ${zero} 00 ${gateway} 00000400 00000001 00000000 00000003 eth0`;
    const gateway = 'fd000000000000000000000000000001';
    expect(gateways6([to(zero, '00', gateway), to(zero, '00', zero), to(gateway, '40', gateway)].join('\n'))).toEqual([
      'fd00:0000:0000:0000:0000:0000:0000:0001',
    ]);
  });
});

describe('what an agent is told', () => {
  test('has an answer, and an error is told to who asked', async () => {
    const name = `firedrill-test-${process.pid}`;
    expect(await ask(name, 'anybody?')).toBeNull();
    await using _control = await control(name, async (question) => {
      if (question === 'fail') throw new Error('no');
      return { heard: question };
    });
    expect(await ask(name, 'hello')).toEqual({ answer: { heard: 'hello' } });
    await expect(ask(name, 'fail')).rejects.toThrow('no');
    await expect(control(name, async () => null)).rejects.toThrow('EADDRINUSE');
  });

  test('is refused in one line, whatever it is', () => {
    const orders = fc.oneof(
      fc.string(),
      fc.json(),
      fc.jsonValue().map((it) => JSON.stringify(it)),
    );
    fc.assert(
      fc.property(orders, (text) => {
        for (const read of [stayOrder, delayOrder, renewOrder]) expect(() => read(text)).toThrow(Usage);
      }),
    );
  });

  test('names whom a delay is for in one way only', () => {
    const renew = (who: unknown) => renewOrder(JSON.stringify({ act: 'a', who }));
    expect(renew({ only: ['198.18.1.1', 'fd00::1'] }).who).toEqual({ only: ['198.18.1.1', 'fd00::1'] });
    for (const who of [null, [], {}, { only: ['evil }'] }, { only: [], except: [] }, { every: [] }, { only: 'x' }])
      expect(() => renew(who)).toThrow("the order's who missing or wrong");
  });
});
