import { describe, expect, test } from '@jest/globals';
import type { Look } from '../../../src/evidence.ts';
import type { AlertItem, FlowItem, LogItem, PacketItem, SampleItem, SpanItem } from '../../../src/model.ts';
import { alertCharts } from '../../../src/reporters/page/alerts.ts';
import { type Chart, rolesOf, type SpanChart } from '../../../src/reporters/page/chart.ts';
import { clientCharts } from '../../../src/reporters/page/client.ts';
import { flowCharts } from '../../../src/reporters/page/flows.ts';
import { itemWords } from '../../../src/reporters/page/item.ts';
import { logCharts } from '../../../src/reporters/page/logs.ts';
import { metricCharts } from '../../../src/reporters/page/metrics.ts';
import { packetCharts } from '../../../src/reporters/page/packets.ts';
import type { Values } from '../../../src/reporters/page/series.ts';
import type { Timeline } from '../../../src/reporters/page/timeline.ts';
import { traceCharts } from '../../../src/reporters/page/traces.ts';
import { binning } from '../../../src/traffic/bins.ts';
import type { LedgerRecord } from '../../../src/traffic/ledger.ts';
import { aPlan, at, START, stored } from '../stored.ts';

/** Six seconds: two of baseline, one quiet, two of fault, one after it. */
const timeline: Timeline = {
  start: START,
  width: 1,
  bins: 6,
  bands: [],
  baseline: { from: at(0), until: at(2) },
  during: { from: at(3), until: at(5) },
  injected: at(3),
};
const { topology } = aPlan;
const none = new Map();

const values = (charts: readonly Chart[], title: string, name: string): Values | undefined => {
  const chart = charts.find((one) => one.title === title);
  return chart?.kind === 'lines' ? chart.series.find((one) => one.name === name)?.values : undefined;
};

describe('client', () => {
  const charts = (records: readonly LedgerRecord[]): Chart[] => {
    const { add, bins } = binning(timeline, 1);
    for (const record of records) add(record);
    return clientCharts(timeline, bins());
  };
  const ledger = stored()
    .records.slice(0, 3)
    .map((record, n) => ({ ...record, intended: `2026-11-21T07:00:0${n}.500000000Z` }));

  test('what went well is one outcome, every way to go wrong another; what was not sent is none', () => {
    const [first, second, third] = ledger as [(typeof ledger)[0], (typeof ledger)[0], (typeof ledger)[0]];
    const drawn = charts([
      { ...first, status: 201 },
      { ...second, status: null, error: 'ECONNREFUSED' },
      { ...third, sent: null },
    ]);
    expect(values(drawn, 'Requests by outcome', '2xx')).toEqual([1, 0, 0, 0, 0, 0]);
    expect(values(drawn, 'Requests by outcome', 'ECONNREFUSED')).toEqual([0, 1, 0, 0, 0, 0]);
    expect(drawn[0]).toMatchObject({ series: { length: 2 } });
  });

  test('latency counts from when a request was due; a refused one has none', () => {
    const refused = { ...ledger[1]!, status: null, error: 'ECONNREFUSED' };
    const drawn = charts([{ ...ledger[0]!, latencyMs: 50, serviceMs: 10 }, refused]);
    expect(values(drawn, 'Latency', 'p99')).toEqual([50, null, null, null, null, null]);
    expect(values(drawn, 'Latency', 'p99 from sending')).toEqual([10, null, null, null, null, null]);
    expect(values(drawn, 'Scheduling error', 'worst')?.[0]).toBe(40);
  });
});

describe('traces', () => {
  const base = { traceId: 't', spanId: 's', parentId: null, pod: null, status: null, message: '' };
  const spans: SpanItem[] = [
    {
      ...base,
      id: '1',
      at: at(0),
      service: 'gateway',
      name: 'GET',
      kind: 'client',
      durationMs: 4,
      error: false,
      peer: 'orders',
    },
    {
      ...base,
      id: '2',
      at: at(3),
      service: 'gateway',
      name: 'GET',
      kind: 'client',
      durationMs: 900,
      error: true,
      peer: 'orders',
    },
    {
      ...base,
      id: '3',
      at: at(0),
      service: 'orders',
      name: 'GET',
      kind: 'server',
      durationMs: 3,
      error: false,
      peer: null,
    },
    {
      ...base,
      id: '4',
      at: at(0),
      service: 'orders',
      name: 'compute',
      kind: 'internal',
      durationMs: 77,
      error: true,
      peer: null,
    },
  ];

  test('calls are told by edge, what was served by service, and inner spans not at all', () => {
    const charts = traceCharts(timeline, spans, none);
    expect(values(charts, 'Failed calls', 'edge:gateway->orders')).toEqual([0, null, null, 1, null, null]);
    expect(values(charts, 'Duration of calls', 'edge:gateway->orders')).toEqual([4, null, null, 900, null, null]);
    expect(values(charts, 'Duration of requests', 'service:orders')).toEqual([3, null, null, null, null, null]);
  });
});

describe('metrics', () => {
  const sample = (seconds: number, value: number, more: Partial<SampleItem> = {}): SampleItem => ({
    id: `${more.series ?? 'r'}${seconds}`,
    at: at(seconds),
    metric: 'requests',
    service: 'orders',
    pod: 'orders-a',
    peer: null,
    status: '200',
    le: null,
    series: 'r',
    value,
    ...more,
  });

  test('a counter becomes a rate, spread over the time between its scrapes', () => {
    const charts = metricCharts(timeline, [sample(0.5, 10), sample(2.5, 30), sample(4.5, 30)], topology, none);
    expect(values(charts, 'Requests', 'service:orders')).toEqual([5, 10, 5, 0, 0, null]);
  });

  test('a counter that fell was reset: it rose from nothing', () => {
    const charts = metricCharts(timeline, [sample(0, 10), sample(1, 20), sample(2, 4)], topology, none);
    expect(values(charts, 'Requests', 'service:orders')?.slice(0, 3)).toEqual([10, 4, null]);
  });

  test('nobody knows when a counter rose that was not read for long', () => {
    const read = [0, 0.5, 1, 1.5, 5, 5.5].map((seconds) => sample(seconds, seconds * 10));
    const charts = metricCharts(timeline, read, topology, none);
    expect(values(charts, 'Requests', 'service:orders')?.slice(2, 5)).toEqual([null, null, null]);
  });

  test('only failures are errors', () => {
    const failing = [sample(0, 0, { status: '502', series: 'e' }), sample(2, 6, { status: '502', series: 'e' })];
    const charts = metricCharts(timeline, [sample(0, 0), sample(2, 8), ...failing], topology, none);
    expect(values(charts, 'Errors', 'service:orders')).toEqual([3, 3, null, null, null, null]);
    expect(values(charts, 'Requests', 'service:orders')).toEqual([7, 7, null, null, null, null]);
  });

  test('before the first failure is counted there was none, where successes were counted', () => {
    const late = sample(2, 6, { status: '502', series: 'e' });
    const charts = metricCharts(timeline, [sample(0, 0), sample(1, 4), sample(2, 8), late], topology, none);
    expect(values(charts, 'Errors', 'service:orders')).toEqual([0, 6, null, null, null, null]);
  });

  test('times of calls are milliseconds each, by who called whom', () => {
    const call = { service: 'gateway', peer: 'orders' };
    const sums = [0, 1].map((s) => sample(s, s * 0.8, { ...call, metric: 'clientDurationSum', series: 's' }));
    const counts = [0, 1].map((s) => sample(s, s * 4, { ...call, metric: 'clientDurationCount', series: 'c' }));
    const charts = metricCharts(timeline, [...sums, ...counts], topology, none);
    expect(values(charts, 'Time of calls', 'edge:gateway->orders')?.[0]).toBe(200);
  });

  const up = (series: string, seconds: number, value: number) => sample(seconds, value, { metric: 'up', series });

  test('a pod that fails its scrape, or is scraped no more, is not up', () => {
    const scrapes = [...[0, 1, 2, 3, 4, 5].map((s) => up('a', s, s < 3 ? 1 : 0)), ...[0, 1].map((s) => up('b', s, 1))];
    expect(values(metricCharts(timeline, scrapes, topology, none), 'Up', 'service:orders')).toEqual([2, 2, 2, 0, 0, 0]);
  });

  test('how many pods are up is not known before the first scrape', () => {
    const charts = metricCharts(timeline, [up('a', 2.5, 1), up('a', 3.5, 1)], topology, none);
    expect(values(charts, 'Up', 'service:orders')?.slice(0, 4)).toEqual([null, null, 1, 1]);
  });

  test('a value that is no number is no value', () => {
    const broken = sample(1, null as unknown as number);
    expect(() => metricCharts(timeline, [sample(0, 1), broken, sample(2, 5)], topology, none)).not.toThrow();
  });
});

describe('alerts', () => {
  const alert = (state: AlertItem['state'], seconds: number, source: AlertItem['source'] = 'prometheus', seen = 1) => {
    const labels = { alertname: 'Down', service: 'orders' };
    return { id: `${state}${seconds}`, at: at(seconds), name: 'Down', state, labels, annotations: {}, source, seen };
  };
  const look = (n: number, seconds: number): Look => ({
    layer: 'alerts',
    n,
    asked: at(seconds),
    answered: at(seconds),
    window: timeline.during,
    queries: [],
    items: 0,
    gaps: 0,
  });
  const rows = (...items: ReturnType<typeof alert>[]) =>
    (alertCharts(timeline, items, [look(1, 4), look(2, 5)])[0] as SpanChart | undefined)?.rows;

  test('an alert was pending until its first firing evaluation, though activeAt dates it back', () => {
    expect(rows(alert('pending', 2), alert('firing', 2, 'alertmanager'), alert('firing', 3))).toEqual([
      {
        name: 'Down orders',
        source: 'prometheus, alertmanager',
        spans: [
          { state: 'pending', from: 2, until: 3 },
          { state: 'firing', from: 3, until: 6 },
        ],
      },
    ]);
  });

  test('it ends where a look was told that it was resolved', () => {
    expect(rows(alert('firing', 3), alert('resolved', 3, 'webhook', 2))?.[0]?.spans).toEqual([
      { state: 'firing', from: 3, until: 5 },
    ]);
  });

  test('one that fired before the start keeps its date', () => {
    expect(rows(alert('firing', -60))?.[0]?.spans[0]?.from).toBe(-60);
  });

  test('no alert, no picture', () => {
    expect(rows()).toBeUndefined();
  });
});

describe('logs', () => {
  const line = (seconds: number, text: string, labels = {}): LogItem => ({
    id: `${seconds}`,
    at: at(seconds),
    service: 'orders',
    pod: null,
    labels,
    line: text,
  });

  test('a level is what the line says, or else its label', () => {
    const lines = [
      line(0, '{"level":"error"}'),
      line(1, 'plain', { detected_level: 'error' }),
      line(2, '{"level":"info"}'),
    ];
    const charts = logCharts(timeline, lines, none);
    expect(values(charts, 'Errors', 'service:orders')).toEqual([1, 1, 0, 0, 0, 0]);
    expect(values(charts, 'All lines', 'service:orders')).toEqual([1, 1, 1, 0, 0, 0]);
  });
});

describe('flows', () => {
  const end = (service: string | null) => ({ ip: '198.18.0.1', port: 1, pod: null, service });
  const flow = (from: string | null, to: string | null, more: Partial<FlowItem>): FlowItem => ({
    id: 'f',
    at: at(0),
    verdict: 'FORWARDED',
    dropReason: null,
    source: end(from),
    destination: end(to),
    protocol: 'TCP',
    flags: [],
    reply: null,
    direction: null,
    http: null,
    ...more,
  });

  test('an answer belongs to the call that it answers, told or not', () => {
    const flows = [
      flow('gateway', 'orders', { reply: false }),
      flow('orders', 'gateway', { reply: true }),
      flow('orders', 'gateway', { reply: null }),
    ];
    const charts = flowCharts(timeline, flows, topology, none);
    expect(values(charts, 'Forwarded', 'edge:gateway->orders')?.[0]).toBe(3);
  });

  test('drops and resets are told apart; who is nobody is outside', () => {
    const flows = [flow(null, 'gateway', { verdict: 'DROPPED' }), flow('gateway', 'orders', { flags: ['RST'] })];
    const charts = flowCharts(timeline, flows, topology, none);
    expect(values(charts, 'Dropped', 'edge:outside->gateway')?.[0]).toBe(1);
    expect(values(charts, 'Reset', 'edge:gateway->orders')?.[0]).toBe(1);
  });
});

describe('packets', () => {
  const packet = (event: PacketItem['event'], seconds: number, ms: number | null): PacketItem => ({
    id: `${event}${seconds}`,
    at: at(seconds),
    event,
    ms,
    by: 'client',
    client: { ip: '198.18.0.1', port: 40000, pod: null, service: 'gateway' },
    server: { ip: '198.18.0.2', port: 8080, pod: null, service: 'orders' },
  });

  test('times and what went in vain are pictures of their own', () => {
    const charts = packetCharts(
      timeline,
      [packet('exchange', 0, 7), packet('silent', 3, 1000), packet('unanswered', 3, null)],
      none,
    );
    expect(charts.map(({ title }) => title)).toEqual(['Unanswered', 'Exchanges']);
    expect(values(charts, 'Exchanges', 'edge:gateway->orders')?.[0]).toBe(7);
    expect(values(charts, 'Unanswered', 'edge:gateway->orders')?.[3]).toBe(2);
  });

  test('evidence is said in one line', () => {
    expect(itemWords('packets', packet('silent', 3, 1000))).toBe(
      'gateway:40000 → orders:8080, silent, 1000 ms, by the client',
    );
  });
});

describe('roles', () => {
  const truth = (on: 'service:orders' | 'edge:gateway->orders' | null) => ({
    groundTruth: {
      fault: '',
      on,
      kind: null,
      from: null,
      until: null,
      witnessedBy: [],
      healedAt: null,
      healWitnessedBy: [],
    },
  });

  test('a blamed pod stands for its component', () => {
    const roles = rolesOf([{ ref: 'pod:orders-7f-x2' }], truth('service:orders'), topology.components);
    expect(Object.fromEntries(roles)).toEqual({ 'service:orders': 'broken and blamed' });
  });

  test('the ends of a broken edge are near; who is blamed wrongly is only blamed', () => {
    const roles = rolesOf([{ ref: 'service:gateway' }], truth('edge:gateway->orders'), topology.components);
    expect(Object.fromEntries(roles)).toEqual({
      'service:gateway': 'blamed',
      'service:orders': 'near',
      'edge:gateway->orders': 'broken',
    });
  });
});
