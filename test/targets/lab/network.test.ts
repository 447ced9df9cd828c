import { describe, expect, test } from '@jest/globals';
import { counts } from '../../../src/targets/lab/capture.ts';
import { balance, clearFaults, cut, member, podAddress, setName } from '../../../src/targets/lab/network.ts';

describe('an address', () => {
  test('of a pod is never given twice and stays in the range that is kept for tests', () => {
    const all = Array.from({ length: 2000 }, (_, n) => podAddress(n));
    expect(new Set(all).size).toBe(2000);
    for (const one of all) expect(one).toMatch(/^198\.18\.([1-9]|1\d|2\d)\.([1-9]\d?|1\d\d|2[0-4]\d|250)$/);
  });

  test('belongs to the set of its component, whose name nftables can read', () => {
    expect(setName('order-service')).toBe('c_order_service');
    expect(member('add', 'order-service', '198.18.1.1')).toBe(
      'add element inet firedrill c_order_service { 198.18.1.1 }\n',
    );
  });
});

describe('a cut', () => {
  test('logs what it cuts before it cuts it, and only in the direction in which connections are opened', () => {
    const rule = cut('ip saddr @c_web ip daddr @c_shop', 'drop', 'block-1');
    expect(rule).toMatch(
      /^add rule inet firedrill faults ip saddr @c_web ip daddr @c_shop meta l4proto tcp ct direction original log prefix "firedrill\/DROPPED\/original" group 5 snaplen 256 drop comment "block-1"\n$/,
    );
  });

  test('by rejecting answers with a reset', () => {
    expect(cut('ip daddr @c_shop', 'reject', 'block-1')).toContain(
      'log prefix "firedrill/REJECTED/original" group 5 snaplen 256 reject with tcp reset comment',
    );
  });

  test('is lifted with all others by one flush of their chain', () => {
    expect(clearFaults).toBe('flush chain inet firedrill faults\n');
  });
});

describe('the users’ way in', () => {
  test('is spread over the pods that are ready, in turn', () => {
    expect(balance(['198.18.1.1', '198.18.1.2'], 8080)).toContain(
      'tcp dport 8080 dnat to numgen inc mod 2 map { 0 : 198.18.1.1, 1 : 198.18.1.2 }\n',
    );
  });

  test('leads nowhere when no pod is, rather than to a wrong one', () => {
    expect(balance([], 8080)).toMatch(/tcp dport 8080 drop\n/);
  });

  test('replaces the rules that were there, whether or not there were any', () => {
    expect(balance([], 8080)).toMatch(
      /^add table ip firedrill_entry\ndelete table ip firedrill_entry\ntable ip firedrill_entry \{/,
    );
  });
});

describe('tcpdump’s last words', () => {
  test.each([
    ['12 packets captured\n14 packets received by filter\n2 packets dropped by kernel', 12, 2],
    ['1 packet captured\n1 packet received by filter\n0 packets dropped by kernel', 1, 0],
    ['tcpdump: listening on any', 0, 0],
    ['', 0, 0],
  ])('%j', (words, captured, droppedByKernel) => {
    expect(counts(words)).toEqual({ captured, droppedByKernel });
  });
});
