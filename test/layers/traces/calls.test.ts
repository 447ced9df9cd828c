import { describe, expect, test } from '@jest/globals';
import { activity } from '../../../src/layers/traces/calls.ts';
import type { SpanItem, Topology } from '../../../src/model.ts';

const topology: Topology = {
  entry: 'a',
  components: ['a', 'b', 'c'],
  edges: [
    { from: 'a', to: 'b' },
    { from: 'b', to: 'c' },
  ],
};

/** `id<parent service kind from-until`, times in milliseconds; `!` marks a failure. */
const span = (text: string, more: Partial<SpanItem> = {}): SpanItem => {
  const [, spanId, parentId, service, kind, from, until, bad] = /^(\w+)(?:<(\w+))? (\w) (\w+) (\d+)-(\d+)(!?)$/.exec(
    text,
  )!;
  return {
    id: `t/${spanId}`,
    at: BigInt(from!) * 1_000_000n,
    traceId: 't',
    spanId: spanId!,
    parentId: parentId ?? null,
    service: service!,
    pod: null,
    name: `GET ${spanId![0]}`,
    kind: kind as SpanItem['kind'],
    durationMs: Number(until) - Number(from),
    error: bad === '!',
    status: null,
    message: '',
    peer: null,
    ...more,
  };
};
const of = (...spans: SpanItem[]) => activity(spans, topology, 0n);

describe('calls', () => {
  test('a client span and its server span are one call; the way is what the caller waited beyond the callee', () => {
    const { calls } = of(span('r a server 0-100'), span('x<r a client 10-90'), span('s<x b server 20-70'));
    expect(calls).toMatchObject([
      { from: 'a', to: 'b', t: 10, served: 20, failed: false, unanswered: false, wayMs: 30 },
    ]);
  });

  test('a failed client span with a peer and no server span is unanswered', () => {
    const { calls } = of(span('r a server 0-100!'), span('x<r a client 10-90!', { peer: 'b' }));
    expect(calls).toMatchObject([{ to: 'b', served: null, unanswered: true, wayMs: null }]);
  });

  test('without a peer it calls whom its namesakes call', () => {
    const answered = [span('r1 a server 0-100'), span('x1<r1 a client 10-90'), span('s1<x1 b server 20-70')];
    const { calls } = of(...answered, span('r2 a server 200-300!'), span('x2<r2 a client 210-290!'));
    expect(calls[1]).toMatchObject({ to: 'b', unanswered: true });
  });

  test('a call that the callee passed on was not unanswered, even if its own span has not come', () => {
    const lost = [span('r a server 0-100!'), span('x<r a client 10-90!', { peer: 'b' })];
    expect(of(...lost, span('z<gone c server 40-50')).calls[0]).toMatchObject({ to: 'b', unanswered: false });
  });

  test('a server span that begins after the caller gave up does not answer it', () => {
    const { calls } = of(span('r a server 0-100!'), span('x<r a client 10-60!'), span('s<x b server 80-95'));
    expect(calls).toMatchObject([{ unanswered: true, served: 80, wayMs: 50 }]);
  });

  test('an answer with a status is an answer', () => {
    const { calls } = of(span('r a server 0-100!'), span('x<r a client 10-60!', { peer: 'b', status: 500 }));
    expect(calls).toMatchObject([{ failed: true, unanswered: false }]);
  });

  test('a child in another component is a call, with no client span in between', () => {
    const { calls } = of(span('r a server 0-100'), span('s<r b server 20-70'));
    expect(calls).toMatchObject([{ from: 'a', to: 'b', client: null, wayMs: null }]);
  });
});

describe('served work', () => {
  const one = (service: string, ...spans: SpanItem[]) => of(...spans).served.find((it) => it.service === service);

  test('time of its own is what no call covers, through spans in between and with calls side by side', () => {
    const inner = [
      span('i<r a internal 5-95'),
      span('x<i a client 10-50', { peer: 'b' }),
      span('y<i a client 40-80', { peer: 'b' }),
    ];
    expect(one('a', span('r a server 0-100'), ...inner)).toMatchObject({ selfMs: 30, failedBelow: false });
  });

  test('a call to what the topology does not know is its own time', () =>
    expect(one('a', span('r a server 0-100'), span('q<r a client 10-90'))).toMatchObject({ selfMs: 100 }));

  test('a failure with a failed call beneath is not its own', () => {
    const spans = [span('r a server 0-100!'), span('x<r a client 10-90!'), span('s<x b server 20-70!')];
    expect(one('a', ...spans)).toMatchObject({ ownFailure: false, failedBelow: true });
    expect(one('b', ...spans)).toMatchObject({ ownFailure: true, failedBelow: false });
  });

  test('a failure because the caller had gone is not its own', () => {
    const spans = [span('r a server 0-100!'), span('x<r a client 10-50!'), span('s<x b server 20-60!')];
    expect(one('b', ...spans)).toMatchObject({ ownFailure: false });
  });
});
