// A tiny stored run: a gateway that calls orders, orders killed for five seconds, and two looks of each layer.
import type { Look } from '../../src/evidence.ts';
import { alert, promql } from '../../src/expect.ts';
import { none } from '../../src/faults/none.ts';
import { podKill } from '../../src/faults/pod-kill.ts';
import type { Entry, HistoryEvent } from '../../src/history.ts';
import { type Item, LAYERS, type LayerName, type Nanos, type SpanItem } from '../../src/model.ts';
import { type Plan, phase, plan, trafficOf } from '../../src/plan.ts';
import { platform, topology } from '../../src/platform.ts';
import { scenario } from '../../src/scenario.ts';
import type { Facts } from '../../src/targets/target.ts';
import { fromIso, fromMs, iso } from '../../src/time.ts';
import type { LedgerRecord } from '../../src/traffic/ledger.ts';
import type { PlannedRequest } from '../../src/traffic/plan.ts';
import type { Stored } from '../../src/verdict.ts';
import { gistOf } from '../helpers/gist.ts';
import type { Recorded } from '../helpers/tiny.ts';

export const START = fromIso('2026-11-21T07:00:00.000000000Z');
export const at = (seconds: number): Nanos => START + fromMs(seconds * 1000);

const shop = platform({
  name: 'shop',
  entry: 'gateway',
  components: {
    gateway: {
      endpoints: { 'GET /orders': { work: '2ms', calls: [{ to: 'orders', request: 'GET /orders' }] } },
    },
    orders: { endpoints: { 'GET /orders': { work: '5ms' } } },
  },
  journeys: { look: [{ request: 'GET /orders', at: '0ms' }] },
});

const facts: Facts = {
  target: 'lab',
  platform: 'shop',
  topology: topology(shop),
  pods: ['gateway', 'orders'].map((service) => pod(service)),
  lacks: [],
  timing: {
    scrape: 1000,
    evaluation: 1000,
    pending: 2000,
    groupWait: 1000,
    spanExport: 500,
    logShipping: 500,
    flowExport: 500,
  },
};

function pod(service: string) {
  return { name: `${service}-a`, uid: `${service}-uid`, service, ip: '198.18.0.1', port: 8080, ready: true };
}

const drill = scenario('killed orders', {
  fault: podKill('orders', { pods: 'all' }),
  warmUp: '2s',
  baseline: '10s',
  hold: '5s',
  recovery: '3s',
  traffic: { rate: '5/s', arrivals: 'constant' },
  expect: {
    traces: 'explained',
    metrics: 'located',
    also: [alert({ alertname: 'OrdersDown' }), promql('sum(rate(errors[5s])) > "0"').atLeast(1)],
  },
});

export const aPlan: Plan = plan(drill, shop, facts, 7, 'run-7');
export const controlPlan: Plan = plan(
  scenario('quiet shop', { fault: none(), warmUp: '2s', baseline: '10s', hold: '5s', recovery: '3s' }),
  shop,
  facts,
  7,
  'run-8',
);

const entry = (seconds: number, event: HistoryEvent): Entry => ({ at: iso(at(seconds)), ...event });

const hold = phase(aPlan, 'hold').from / 1000;
export const INJECTED = at(hold);

/** The history of a drill that went as planned. */
export const wholeHistory: readonly Entry[] = [
  entry(0, { type: 'phase', name: 'warm-up' }),
  entry(2, { type: 'phase', name: 'baseline' }),
  entry(hold, { type: 'phase', name: 'hold' }),
  entry(hold, { type: 'injecting' }),
  entry(hold + 0.1, { type: 'injected' }),
  entry(hold + 0.2, { type: 'witness', of: 'injection', says: '1 of 1 killed pods are gone: orders-a', holds: true }),
  entry(hold + 5, { type: 'healing' }),
  entry(hold + 5.5, { type: 'healed' }),
  entry(hold + 5.6, { type: 'witness', of: 'healing', says: '1 of 1 pods ready again: orders-b', holds: true }),
  entry(hold + 9, { type: 'ended' }),
];

const broken = (ms: number): boolean => ms >= hold * 1000 && ms < (hold + 5) * 1000;

const record = (request: PlannedRequest): LedgerRecord => {
  const bad = broken(request.atMs);
  const due = START + fromMs(request.atMs);
  return {
    n: request.n,
    journey: request.journey,
    request: request.request,
    requestId: `request-${request.n}`,
    correlationId: request.session,
    traceId: String(request.n).padStart(32, '0'),
    spanId: String(request.n).padStart(16, '0'),
    user: request.user,
    session: request.session,
    intended: iso(due),
    sent: iso(due + fromMs(1)),
    ended: iso(due + fromMs(11)),
    status: bad ? 502 : 200,
    error: null,
    latencyMs: 11,
    serviceMs: 10,
    local: { ip: '127.0.0.1', port: 40000 },
    remote: { ip: '127.0.0.1', port: 8080 },
  };
};

const look = (layer: LayerName, n: number, asked: Nanos): Look => ({
  layer,
  n,
  asked,
  answered: asked + fromMs(200),
  window: { from: START, until: asked },
  queries: [{ id: `${layer}-${n}`, text: `ask ${layer} "${n}"`, url: `http://127.0.0.1/${layer}?look=${n}&limit=5` }],
  items: 0,
  gaps: 0,
});

/** Two looks of every layer: one when the fault had been in for three seconds, one at the end. */
const looks = LAYERS.flatMap((layer) => [look(layer, 1, at(hold + 3)), look(layer, 2, at(hold + 12))]);

/** Both sides of one request, as spans. */
const spans = ({ n, atMs }: PlannedRequest): (SpanItem & { seen: number })[] => {
  const bad = broken(atMs);
  const base = {
    at: START + fromMs(atMs),
    traceId: String(n),
    status: bad ? 502 : 200,
    error: bad,
    pod: null,
    seen: atMs < (hold + 3) * 1000 ? 1 : 2,
  };
  const message = bad ? 'connect ECONNREFUSED </script><b>orders' : '';
  const gateway = { ...base, service: 'gateway', name: 'GET /orders', message };
  const call = { spanId: `c${n}`, parentId: `g${n}`, kind: 'client', peer: 'orders', durationMs: 8 } as const;
  const orders = { ...base, service: 'orders', name: 'GET /orders', message: '', status: 200, error: false };
  return [
    { ...gateway, id: `g${n}`, spanId: `g${n}`, parentId: null, kind: 'server', peer: null, durationMs: 10 },
    { ...gateway, ...call, id: `c${n}` },
    ...(bad
      ? []
      : [
          {
            ...orders,
            id: `o${n}`,
            spanId: `o${n}`,
            parentId: `c${n}`,
            kind: 'server' as const,
            peer: null,
            durationMs: 5,
          },
        ]),
  ];
};

type Parts = {
  readonly plan?: Plan;
  readonly history?: readonly Entry[];
  readonly items?: ReadonlyMap<LayerName, readonly (Item & { readonly seen: number })[]>;
  readonly gaps?: Stored['evidence']['gaps'];
};

/** The run, with parts of it replaced. */
export const stored = ({ plan = aPlan, history = wholeHistory, items, gaps = [] }: Parts = {}): Recorded => {
  const requests = [...trafficOf(plan, 'http://entry').requests];
  const records = requests.map(record);
  const shown =
    items ?? new Map<LayerName, readonly (Item & { readonly seen: number })[]>([['traces', requests.flatMap(spans)]]);
  const evidence = { looks, items: shown, gaps, asked: [] };
  return { plan, history, records, ledger: gistOf(plan, history, records), evidence };
};
