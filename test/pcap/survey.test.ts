import { describe, expect, test } from '@jest/globals';
import { parseEnd } from '../../src/pcap/filter.ts';
import type { SurveyResult } from '../../src/pcap/survey.ts';
import { captureOf, client, handshake, OK, request, server, surveyOf, type Told } from './tell.ts';

const survey = (packets: readonly Told[], options = {}): SurveyResult => surveyOf(captureOf(packets), options);
const only = (packets: readonly Told[]) => survey(packets).conversations[0]!;

const DATA = 'x'.repeat(100);

describe('conversations', () => {
  test('client and server are told apart by who sent the SYN', () => {
    expect(survey(handshake(0)).conversations).toEqual([
      {
        ...{ protocol: 'tcp', client: '10.0.0.1', server: '10.0.0.2:8080', conversations: 1, packets: 3, bytes: 120 },
        ...{ unanswered: 0, refused: 0, retransmissions: 0, outOfOrder: 0, copies: 0, resets: 0, reset: 0 },
      },
    ]);
  });

  test('a new SYN on the same ports is another conversation, the same SYN again is not', () => {
    const again = handshake(5000).map((one) => ({ ...one, seq: one.seq! + 7777 }));
    expect(only([...handshake(0), ...again]).conversations).toBe(2);
    expect(only([...handshake(0), client(900, { flags: 'S', seq: 0 })]).conversations).toBe(1);
  });

  test('a SYN that nothing answers is unanswered, with its time and how often it was sent', () => {
    const found = survey([0, 1000, 3000].map((ms) => client(ms, { flags: 'S', seq: 0 })));
    expect(found.conversations[0]).toMatchObject({ unanswered: 1, refused: 0, retransmissions: 2 });
    expect(found.unanswered).toEqual([
      { client: '10.0.0.1:40000', server: '10.0.0.2:8080', syns: 3, seconds: 1_700_000_000, nanos: 0 },
    ]);
  });

  test('a SYN just before the capture ends may still be answered', () => {
    expect(only([client(0, { flags: 'S', seq: 0 }), client(900, { flags: 'S', seq: 0 })]).unanswered).toBe(0);
  });

  test('a SYN answered by a reset is refused; a reset later is a reset', () => {
    const refused = [client(0, { flags: 'S', seq: 0 }), server(1, { flags: 'RA', seq: 0, ack: 1 })];
    expect(only(refused)).toMatchObject({ refused: 1, unanswered: 0, resets: 1, reset: 0 });
    const later = [...handshake(0), server(3, { flags: 'R', seq: 1001 })];
    expect(only(later)).toMatchObject({ refused: 0, resets: 1, reset: 1 });
  });

  test('a filter by ends leaves only what goes between the two, either way', () => {
    const other = handshake(0).map((one) =>
      one.sourcePort === 40_000 ? { ...one, sourcePort: 40_001 } : { ...one, destinationPort: 40_001 },
    );
    const ends = [parseEnd('10.0.0.2:8080'), parseEnd('10.0.0.1:40001')];
    const found = survey([...handshake(0), ...other], { filter: { ends, protocol: 'tcp' } });
    expect(found.passed.accepted).toBe(3);
    expect(survey(handshake(0), { filter: { ends: [], protocol: 'udp' } }).passed.accepted).toBe(0);
  });
});

describe('segments', () => {
  const first = client(10, { seq: 1, ack: 1001, flags: 'PA', payload: DATA });
  const second = client(11, { seq: 101, ack: 1001, flags: 'PA', payload: DATA });
  const third = client(12, { seq: 201, ack: 1001, flags: 'PA', payload: DATA });

  test('data sent again is a retransmission', () => {
    expect(only([...handshake(0), first, { ...first, ms: 230 }])).toMatchObject({ retransmissions: 1, outOfOrder: 0 });
  });

  test('one packet captured on two interfaces is a copy: it keeps its IP identification', () => {
    const seen = { ...first, ipId: 77 };
    expect(only([...handshake(0), seen, { ...seen, ms: 10.05 }])).toMatchObject({ retransmissions: 0, copies: 1 });
  });

  test('a segment overtaken within a round trip is out of order', () => {
    const packets = [...handshake(0), second, { ...first, ms: 11.5 }];
    expect(only(packets)).toMatchObject({ retransmissions: 0, outOfOrder: 1 });
  });

  test('one that fills a hole later than a round trip was lost and sent again', () => {
    const packets = [...handshake(0), second, { ...first, ms: 211 }];
    expect(only(packets)).toMatchObject({ retransmissions: 1, outOfOrder: 0 });
  });

  test('one that two duplicate acknowledgements asked for was sent again, however soon', () => {
    const asks = [12.1, 12.2, 12.3].map((ms) => server(ms, { seq: 1001, ack: 1, flags: 'A' }));
    const packets = [...handshake(0), second, third, ...asks, { ...first, ms: 12.4 }];
    expect(only(packets)).toMatchObject({ retransmissions: 1, outOfOrder: 0 });
  });

  test('a keep-alive is no retransmission', () => {
    const alive = client(9000, { seq: 100, ack: 1001, flags: 'A' });
    expect(only([...handshake(0), first, alive])).toMatchObject({ retransmissions: 0 });
  });

  test('sequence numbers go round', () => {
    const near = 2 ** 32 - 50;
    const a = client(1, { seq: near, flags: 'PA', payload: DATA });
    const b = client(2, { seq: 50, flags: 'PA', payload: DATA });
    expect(only([a, b])).toMatchObject({ retransmissions: 0, outOfOrder: 0 });
    expect(only([a, b, { ...b, ms: 300 }])).toMatchObject({ retransmissions: 1 });
  });
});

describe('response times', () => {
  const ALICE = { 'X-User-Id': 'alice', 'x-session-id': 's1', 'x-request-id': 'r1' };
  const exchange = (headers = ALICE): Told[] => [
    ...handshake(0),
    client(10, { seq: 1, flags: 'PA', payload: request('/orders/4711?x=1', headers) }),
    server(35, { seq: 1001, flags: 'PA', payload: OK }),
  ];

  test('from the last byte of the request to the first of its answer, by endpoint and by user', () => {
    const { endpoints, users } = survey(exchange());
    const row = { server: '10.0.0.2:8080', requests: 1, answered: 1, errors: 0 };
    expect(endpoints).toEqual([{ ...row, name: 'GET /orders/{id}', ms: expect.objectContaining({ max: 25 }) }]);
    expect(users).toEqual([{ ...row, name: 'alice', ms: expect.objectContaining({ max: 25 }) }]);
    expect(Math.abs(users[0]!.ms!.p50 / 25 - 1)).toBeLessThan(0.02);
  });

  test('a head that comes in three segments is read as one', () => {
    const text = request('/orders', ALICE);
    const cuts = [0, 30, 45, text.length];
    const three = cuts.slice(1).map((to, i) => text.slice(cuts[i], to));
    const packets = three.map((payload, i) => client(10 + i, { seq: 1 + cuts[i]!, flags: 'PA', payload }));
    const found = survey([...handshake(0), ...packets, server(22, { seq: 1001, flags: 'PA', payload: OK })]);
    expect(found.users[0]).toMatchObject({ name: 'alice', answered: 1, ms: { max: 10 } });
  });

  test('100 Continue is no answer; 500 and more are errors', () => {
    const { endpoints } = survey([
      ...handshake(0),
      client(10, { seq: 1, flags: 'PA', payload: request('/a') }),
      server(11, { seq: 1001, flags: 'PA', payload: 'HTTP/1.1 100 Continue\r\n\r\n' }),
      server(60, { seq: 1026, flags: 'PA', payload: 'HTTP/1.1 503 Service Unavailable\r\n\r\n' }),
    ]);
    expect(endpoints[0]).toMatchObject({ answered: 1, errors: 1, ms: { max: 50 } });
  });

  test('an answer whose first segment was overtaken is still found', () => {
    const { endpoints } = survey([
      ...handshake(0),
      client(10, { seq: 1, flags: 'PA', payload: request('/a') }),
      server(20, { seq: 1001 + OK.length, flags: 'PA', payload: DATA }),
      server(21, { seq: 1001, flags: 'A', payload: OK }),
    ]);
    expect(endpoints[0]).toMatchObject({ answered: 1, ms: { max: 11 } });
  });

  test('requests that do not wait for the answer before them are counted and not timed', () => {
    const one = request('/a');
    const found = survey([
      ...handshake(0),
      client(10, { seq: 1, flags: 'PA', payload: one }),
      client(11, { seq: 1 + one.length, flags: 'PA', payload: one }),
      server(20, { seq: 1001, flags: 'PA', payload: OK }),
      server(21, { seq: 1001 + OK.length, flags: 'PA', payload: OK }),
    ]);
    expect(found.overlapping).toBe(1);
    expect(found.endpoints[0]).toMatchObject({ requests: 2, answered: 0, ms: null });
  });

  test.each([
    ['user', { user: 'alice' }, 1],
    ['session', { session: 's1' }, 1],
    ['request', { requestId: 'r1' }, 1],
    ['another user', { user: 'alic' }, 0],
    ['a user and a session of two', { user: 'alice', session: 's2' }, 0],
  ])('asked for a %s: only such requests, and conversations that had one', (_, tags, n) => {
    const found = survey(exchange(), { tags });
    expect([found.chosen, found.conversations.length, found.endpoints.length]).toEqual([n, n, n]);
  });

  test('who has no header of its own may be named in the baggage', () => {
    const baggage = { baggage: 'run=7,user.id=al%20ice;ttl=1,session.id=s9' };
    expect(survey(exchange(baggage as never), { tags: { user: 'al ice', session: 's9' } }).users[0]!.name).toBe(
      'al ice',
    );
  });

  test('a request without an answer is counted', () => {
    expect(survey(exchange().slice(0, -1)).endpoints[0]).toMatchObject({ requests: 1, answered: 0, ms: null });
  });
});
