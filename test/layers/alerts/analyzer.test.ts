import { describe, expect, test } from '@jest/globals';
import { analyzeAlerts } from '../../../src/layers/alerts/analyzer.ts';
import type { AlertItem, Finding, Topology } from '../../../src/model.ts';
import { SECOND } from '../../../src/time.ts';

// web -> cart -> stock, web -> stock
const topology: Topology = {
  entry: 'web',
  components: ['web', 'cart', 'stock', 'stock-history'],
  edges: [
    { from: 'web', to: 'cart' },
    { from: 'web', to: 'stock' },
    { from: 'cart', to: 'stock' },
    { from: 'stock', to: 'stock-history' },
  ],
};

type Short = Partial<Omit<AlertItem, 'at'>> & { readonly at?: number };
const alert = (name: string, labels: Record<string, string>, { at = 110, ...rest }: Short = {}): AlertItem => ({
  id: `${rest.source ?? 'prometheus'}/${name}/${JSON.stringify(labels)}/${at}`,
  at: BigInt(at) * SECOND,
  name,
  labels: { alertname: name, severity: 'critical', ...labels },
  state: 'firing',
  annotations: {},
  source: 'prometheus',
  ...rest,
});
const analyze = (during: readonly AlertItem[], before: readonly AlertItem[] = []): Finding =>
  analyzeAlerts({
    baseline: { window: { from: 0n, until: 100n * SECOND }, items: before },
    test: { window: { from: 100n * SECOND, until: 200n * SECOND }, items: during },
    topology,
  });
const named = ({ suspects }: Finding): string[] => suspects.map(({ ref, kind }) => `${ref} ${kind}`);

describe('what counts', () => {
  test('a new firing alert does, with its items as evidence and its start as since', () => {
    const one = alert('PodDown', { service: 'cart', pod: 'cart-1' });
    const { suspects } = analyze([one]);
    expect(suspects).toMatchObject([{ ref: 'service:cart', kind: 'absent', since: 110n * SECOND, evidence: [one.id] }]);
  });

  test.each(['firing', 'pending'] as const)('an alert already %s before the fault detects nothing', (state) => {
    const labels = { service: 'cart' };
    const { suspects, why } = analyze([alert('PodDown', labels)], [alert('PodDown', labels, { at: 50, state })]);
    expect(suspects).toEqual([]);
    expect(why).toMatch(/already there before: PodDown/);
  });

  test('the same rule about another component is another alert', () => {
    const found = analyze(
      [alert('PodDown', { service: 'cart' })],
      [alert('PodDown', { service: 'stock' }, { at: 50 })],
    );
    expect(named(found)).toEqual(['service:cart absent']);
  });

  test.each(['pending', 'resolved'] as const)('an alert that is only %s detects nothing', (state) => {
    expect(analyze([alert('PodDown', { service: 'cart' }, { state })]).suspects).toEqual([]);
  });

  test('a suppressed alert is told, with who suppressed it, and not counted though Prometheus fires it', () => {
    const { suspects, why } = analyze([
      alert('PodDown', { service: 'cart' }),
      alert(
        'PodDown',
        { service: 'cart', cluster: 'eu' },
        { state: 'suppressed', source: 'alertmanager', annotations: { suppressed_by: 'silence 42' } },
      ),
    ]);
    expect(suspects).toEqual([]);
    expect(why).toMatch(/PodDown is suppressed by silence 42/);
  });

  test('an alert seen by Prometheus, Alertmanager and the receiver is one alert, delivered', () => {
    const { suspects } = analyze([
      alert('PodDown', { service: 'cart' }),
      alert('PodDown', { service: 'cart', cluster: 'eu' }, { source: 'alertmanager', at: 112 }),
      alert('PodDown', { service: 'cart', cluster: 'eu' }, { source: 'webhook', at: 112 }),
    ]);
    expect(suspects).toHaveLength(1);
    expect(suspects[0]!.why).toMatch(/PodDown \(critical, delivered\)/);
    expect(suspects[0]!.evidence).toHaveLength(3);
  });

  test('nothing anywhere is said so', () => {
    expect(analyze([])).toEqual({ suspects: [], why: 'no alert began to fire' });
  });

  test('an alert that names no component blames nobody', () => {
    const { suspects, why } = analyze([alert('NodeDiskFull', { node: 'n1' })]);
    expect(suspects).toEqual([]);
    expect(why).toMatch(/1 alerts began to fire, 0 of them name a component/);
  });
});

describe('whom an alert names', () => {
  test.each([
    [{ job: 'cart' }, 'service:cart'],
    [{ pod: 'stock-history-7d9f-x' }, 'service:stock-history'],
    [{ instance: 'stock.shop.svc:8080' }, 'service:stock'],
    [{ team: 'a', whatever: 'cart' }, 'service:cart'],
    [{ service: 'web', peer: 'cart' }, 'service:cart'],
    [{ service: 'stock', destination: 'stock-history' }, 'service:stock-history'],
  ])('%j names %s', (labels, ref) => {
    expect(analyze([alert('Down', labels as unknown as Record<string, string>)]).suspects[0]?.ref).toBe(ref);
  });

  test('its own words name it when no label does', () => {
    expect(named(analyze([alert('StockHistoryDown', {})]))).toEqual(['service:stock-history absent']);
  });

  test('a caller alone among several names the way; several callers name the callee', () => {
    const failing = (service: string): AlertItem => alert('CallsUnanswered', { service, peer: 'stock' });
    expect(named(analyze([failing('cart')]))).toEqual(['edge:cart->stock blocked']);
    expect(named(analyze([failing('cart'), failing('web')]))).toEqual(['service:stock blocked']);
  });
});

describe('what its words mean', () => {
  test.each([
    ['HighLatencyP99', '', 'slow'],
    ['SlowRequests', '', 'slow'],
    ['HighErrorRate', '', 'erroring'],
    ['Http5xx', '', 'erroring'],
    ['TargetMissing', '', 'absent'],
    ['ServiceRestarted', '', 'absent'],
    ['PolicyDenied', '', 'blocked'],
    ['ConnectionTimeouts', '', 'blocked'],
    ['Rule17', 'cart is unreachable', 'blocked'],
    ['HighCpu', '', 'slow'],
  ])('%s "%s" means %s', (name, summary, kind) => {
    expect(analyze([alert(name, { service: 'cart' }, { annotations: { summary } })]).suspects[0]?.kind).toBe(kind);
  });
});

describe('the call graph', () => {
  test("a callee's alert explains its callers' alerts, however far up and however early", () => {
    const { suspects } = analyze([
      alert('HighErrorRate', { service: 'web' }, { at: 105 }),
      alert('HighLatency', { service: 'cart', severity: 'warning' }, { at: 106 }),
      alert('PodDown', { service: 'stock-history' }, { at: 109 }),
    ]);
    expect(suspects.map(({ ref, kind }) => [ref, kind])).toEqual([['service:stock-history', 'absent']]);
    expect(suspects[0]!.why).toMatch(/that explains HighErrorRate, HighLatency/);
  });

  test('an absent callee is absent, though the calls to it are more severe than what says so', () => {
    const { suspects } = analyze([
      alert('CallsUnanswered', { service: 'cart', peer: 'stock' }),
      alert('ServiceRestarted', { service: 'stock', severity: 'info' }, { at: 120 }),
    ]);
    expect(suspects).toMatchObject([{ ref: 'service:stock', kind: 'absent' }]);
  });

  test('of two unrelated alerts the more severe comes first, of like ones the earlier', () => {
    const other = alert('PodDown', { service: 'stock-history' }, { at: 130 });
    const leaf = { ...topology, edges: [] };
    const ranks = (items: AlertItem[]): string[] =>
      analyzeAlerts({ ...blind(items), topology: leaf }).suspects.map(({ ref }) => ref);
    const blind = (items: AlertItem[]) => ({
      baseline: { window: { from: 0n, until: 100n * SECOND }, items: [] },
      test: { window: { from: 100n * SECOND, until: 200n * SECOND }, items },
    });
    expect(ranks([alert('PodDown', { service: 'cart', severity: 'info' }), other])[0]).toBe('service:stock-history');
    expect(ranks([other, alert('PodDown', { service: 'cart' })])[0]).toBe('service:cart');
  });

  test('services that call in a circle still have a suspect', () => {
    const circle = { ...topology, edges: [...topology.edges, { from: 'stock', to: 'web' }] };
    const { suspects } = analyzeAlerts({
      baseline: { window: { from: 0n, until: 100n * SECOND }, items: [] },
      test: {
        window: { from: 100n * SECOND, until: 200n * SECOND },
        items: ['web', 'cart', 'stock'].map((name) => alert('HighLatency', { service: name })),
      },
      topology: circle,
    });
    expect(suspects.length).toBeGreaterThan(0);
  });
});
