import { expect, test } from '@jest/globals';
import { analyzeTraces } from '../../../src/layers/traces/analyzer.ts';
import type { Blind, SpanItem } from '../../../src/model.ts';

const SECOND = 1_000_000_000n;
const topology = { entry: 'shop', components: ['shop', 'bank'], edges: [{ from: 'shop', to: 'bank' }] };

/** One call a half second from shop to bank, served by the pod that `podAt` names, or by nobody when it names none. */
const history = (podAt: (second: number) => string | null): Blind<SpanItem> => {
  const items = Array.from({ length: 80 }, (_, n) => call(n, podAt(n / 2))).flat();
  const window = (from: bigint, until: bigint) => ({
    window: { from: from * SECOND, until: until * SECOND },
    items: items.filter(({ at }) => at >= from * SECOND && at < until * SECOND),
  });
  return { topology, baseline: window(0n, 20n), test: window(20n, 40n) };
};

const call = (n: number, pod: string | null): SpanItem[] => {
  const at = (BigInt(n) * SECOND) / 2n;
  const span = (id: string, more: Partial<SpanItem>): SpanItem => ({
    id: `${n}/${id}`,
    at,
    traceId: String(n),
    spanId: id,
    parentId: null,
    service: 'shop',
    pod: 'shop-1',
    name: 'GET /balance',
    kind: 'server',
    durationMs: 10,
    error: false,
    status: 200,
    message: '',
    peer: null,
    ...more,
  });
  const client = { kind: 'client', parentId: 'a', peer: 'bank' } as const;
  if (!pod)
    return [span('a', {}), span('b', { ...client, error: true, status: null, message: 'connect ECONNREFUSED' })];
  return [span('a', {}), span('b', client), span('c', { parentId: 'b', service: 'bank', pod, durationMs: 5 })];
};

test('a pod that is replaced after hardly a lost call has died', () => {
  const [first] = analyzeTraces(history((t) => (t < 25 ? 'bank-1' : t < 26 ? null : 'bank-2'))).suspects;
  expect(first).toMatchObject({ ref: 'service:bank', kind: 'absent', since: 25n * SECOND + 10_000_000n });
  expect(first?.evidence).toEqual(['50/b', '51/b']);
});

test('a pod that is replaced in good order is no trouble', () => {
  expect(analyzeTraces(history((t) => (t < 25 ? 'bank-1' : 'bank-2'))).suspects).toEqual([]);
});
