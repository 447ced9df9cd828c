// A tiny platform, web -> shop -> stock and shop -> bank, and a drill on it as it would be stored. Written by hand, so that
// each test says only what is different in its own story.
import type { Look } from '../../src/evidence.ts';
import type { FaultSpec } from '../../src/faults/fault.ts';
import { podKill } from '../../src/faults/pod-kill.ts';
import type { Entry, HistoryEvent } from '../../src/history.ts';
import {
  type AlertItem,
  type Item,
  LAYERS,
  type LayerName,
  type Nanos,
  type SampleItem,
  type SpanItem,
} from '../../src/model.ts';
import { type PhaseName, type Plan, phase, plan, trafficOf } from '../../src/plan.ts';
import { platform, topology } from '../../src/platform.ts';
import { type ScenarioInput, scenario } from '../../src/scenario.ts';
import type { Facts } from '../../src/targets/target.ts';
import { fromIso, fromMs, iso } from '../../src/time.ts';
import type { LedgerRecord } from '../../src/traffic/ledger.ts';
import type { PlannedRequest } from '../../src/traffic/plan.ts';
import type { Stored } from '../../src/verdict.ts';
import { gistOf } from './gist.ts';

export const tiny = platform({
  name: 'tiny',
  entry: 'web',
  components: {
    web: {
      endpoints: {
        'GET /buy': { work: '1ms', calls: [{ to: 'shop', request: 'POST /order' }] },
        'GET /about': { work: '1ms' },
      },
    },
    shop: {
      pods: 2,
      endpoints: {
        'POST /order': { work: '1ms', calls: [{ to: 'stock', request: 'GET /item/:id' }] },
        'POST /refund': { work: '1ms', calls: [{ to: 'bank', request: 'POST /pay' }] },
      },
    },
    stock: { endpoints: { 'GET /item/:id': { work: '1ms' } } },
    bank: { endpoints: { 'POST /pay': { work: '1ms' } } },
  },
  journeys: { buy: [{ request: 'GET /buy', at: '0ms' }], read: [{ request: 'GET /about', at: '0ms' }] },
});

const pods = ['web-a', 'shop-a', 'shop-b', 'stock-a', 'bank-a'].map((name, n) => ({
  name,
  uid: `uid-${name}`,
  service: name.slice(0, -2),
  ip: `198.18.1.${n + 1}`,
  port: 8080,
  ready: true,
}));

export const facts: Facts = {
  target: 'fake',
  platform: 'tiny',
  topology: topology(tiny),
  pods,
  lacks: [],
  timing: {
    scrape: 1000,
    evaluation: 1000,
    pending: 1000,
    groupWait: 500,
    spanExport: 500,
    logShipping: 500,
    flowExport: 500,
  },
};

export const killShop = podKill('shop', { pods: 'all' });

/** A plan of 5 s of baseline and 5 s of hold at 10 requests a second; the seed leaves more than 2 s of quiet. */
export const planOf = (fault: FaultSpec = killShop, more: Partial<ScenarioInput> = {}): Plan =>
  plan(
    scenario('a tiny drill', {
      traffic: { rate: '10/s', arrivals: 'constant', journeys: { buy: 1 } },
      warmUp: '1s',
      baseline: '5s',
      hold: '5s',
      recovery: '2s',
      ...more,
      fault,
    }),
    tiny,
    facts,
    3,
    'tiny-run',
  );

export const START: Nanos = fromIso('2026-03-01T12:00:00Z');

/** `ms` milliseconds after a phase began. */
export const since = (of: Plan, name: PhaseName, ms: number): Nanos => START + fromMs(phase(of, name).from + ms);

/** When the fault of a whole history was injected. */
export const injectedAt = (of: Plan): Nanos => since(of, 'hold', 100);

export const at = (when: Nanos, event: HistoryEvent): Entry => ({ at: iso(when), ...event });

/** The history of a drill in which all went as planned. */
export const wholeHistory = (of: Plan): Entry[] => [
  ...(['warm-up', 'baseline', 'quiet', 'hold'] as const).map((name) => at(since(of, name, 0), { type: 'phase', name })),
  at(since(of, 'hold', 50), { type: 'injecting' }),
  ...(of.truth.on ? [at(injectedAt(of), { type: 'intent', act: 'SIGKILL', on: 'pod:shop-a' })] : []),
  at(since(of, 'hold', 150), { type: 'injected' }),
  at(since(of, 'hold', 200), { type: 'witness', of: 'injection', says: '2 of 2 killed pods are gone', holds: true }),
  at(since(of, 'recovery', 0), { type: 'healing' }),
  at(since(of, 'recovery', 50), { type: 'healed' }),
  at(since(of, 'recovery', 100), { type: 'witness', of: 'healing', says: '2 of 2 pods ready again', holds: true }),
  at(since(of, 'recovery', 100), { type: 'phase', name: 'recovery' }),
  at(since(of, 'gather', 0), { type: 'ended' }),
];

export const recordOf = (request: PlannedRequest, ms = 10): LedgerRecord => {
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
    sent: iso(due),
    ended: iso(due + fromMs(ms)),
    status: 200,
    error: null,
    latencyMs: ms,
    serviceMs: ms,
    local: null,
    remote: null,
  };
};

/** Every planned request, answered well in 10 ms. */
export const ledgerOf = (of: Plan): LedgerRecord[] =>
  [...trafficOf(of, 'http://web').requests].map((one) => recordOf(one));

const EVERY_MS = 1000;

/** A look at the layer every second until the end, each of them answered. */
export const looksOf = (of: Plan, layer: LayerName): Look[] =>
  Array.from({ length: Math.ceil(of.phases.at(-1)!.until / EVERY_MS) }, (_, i) => {
    const asked = START + fromMs((i + 1) * EVERY_MS);
    const window = { from: START, until: asked };
    return { layer, n: i + 1, asked, answered: asked + fromMs(100), window, queries: [], items: 0, gaps: 0 };
  });

type Seen<I extends Item = Item> = I & { readonly seen: number };

/** The look that first shows what is there from `when` on. */
export const lookAt = (when: Nanos): number => 1 + Number((when - START) / fromMs(EVERY_MS));

/** One span of the request's trace, shown `lagMs` after the request's end. */
export const spanOf = ({ traceId, sent, ended }: LedgerRecord, lagMs = 300): Seen<SpanItem> => ({
  id: `span-${traceId}`,
  at: fromIso(sent!),
  seen: lookAt(fromIso(ended!) + fromMs(lagMs)),
  traceId,
  spanId: '1',
  parentId: null,
  service: 'stock',
  pod: null,
  name: 'GET /item/:id',
  kind: 'server',
  durationMs: 10,
  error: false,
  status: 200,
  message: '',
  peer: null,
});

/** The entry's counter of requests, scraped every second until `until`, which goes up where `counts` says so. */
export const scrapesOf = (of: Plan, until: Nanos, counts: (at: Nanos) => boolean = () => true): Seen<SampleItem>[] => {
  const series = { metric: 'requests', service: 'web', pod: 'web-a', peer: null, status: '200', le: null } as const;
  const times = Array.from({ length: of.phases.at(-1)!.until / 1000 }, (_, i) => START + fromMs(i * 1000 + 400));
  return times
    .filter((at) => at < until)
    .map((at, i) => {
      const value = 10 * times.slice(0, i + 1).filter(counts).length;
      return { ...series, id: `sample-${i}`, series: 'web', at, seen: lookAt(at + fromMs(100)), value };
    });
};

/** A firing critical alert about a component, as the webhook's receiver got it. */
export const alertOn = (
  service: string,
  when: Nanos,
  name = `${service}Down`,
): AlertItem & { readonly seen: number } => ({
  id: `webhook/${name}/${service}/firing/${iso(when)}`,
  at: when,
  seen: lookAt(when),
  name,
  state: 'firing',
  labels: { alertname: name, service, severity: 'critical' },
  annotations: {},
  source: 'webhook',
});

export type Story = {
  readonly plan?: Plan;
  readonly history?: readonly Entry[];
  readonly ledger?: readonly LedgerRecord[];
  readonly alerts?: readonly Seen[];
  /** What other layers showed. */
  readonly items?: Readonly<Partial<Record<LayerName, readonly Seen[]>>>;
  readonly looks?: readonly Look[];
  readonly gaps?: Stored['evidence']['gaps'];
  readonly asked?: Stored['evidence']['asked'];
};

/** With the records of its ledger. */
export type Recorded = Stored & { readonly records: readonly LedgerRecord[] };

/** A stored drill: everything as planned, every layer asked, and whatever the story changes. */
export const storedRun = (story: Story = {}): Recorded => {
  const of = story.plan ?? planOf();
  const history = story.history ?? wholeHistory(of);
  const records = story.ledger ?? ledgerOf(of);
  return {
    plan: of,
    history,
    records,
    ledger: gistOf(of, history, records),
    evidence: {
      looks: story.looks ?? LAYERS.flatMap((layer) => looksOf(of, layer)),
      items: new Map(Object.entries({ alerts: story.alerts ?? [], ...story.items }) as [LayerName, readonly Seen[]][]),
      gaps: story.gaps ?? [],
      asked: story.asked ?? [],
    },
  };
};
