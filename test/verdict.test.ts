import { describe, expect, test } from '@jest/globals';
import { alert, promql } from '../src/expect.ts';
import { latency } from '../src/faults/latency.ts';
import { none } from '../src/faults/none.ts';
import type { Entry, HistoryEvent } from '../src/history.ts';
import type { Nanos, Window } from '../src/model.ts';
import { trafficOf } from '../src/plan.ts';
import { fromMs, iso } from '../src/time.ts';
import { exitCodeOf, gradeSuspect, OUTCOMES, type Verdict, verdict } from '../src/verdict.ts';
import {
  alertOn,
  at,
  injectedAt,
  ledgerOf,
  looksOf,
  planOf,
  recordOf,
  START,
  type Story,
  scrapesOf,
  since,
  spanOf,
  storedRun,
  wholeHistory,
} from './helpers/tiny.ts';

const wanting = (also: Parameters<typeof alert>[0][] = []) =>
  planOf(undefined, { expect: { alerts: 'located', also: also.map((labels) => alert(labels)) } });
const plan = wanting();
const injected = injectedAt(plan);
const later = (ms: number) => injected + fromMs(ms);
const judged = (story: Story): Verdict => verdict(storedRun({ plan, ...story }));
const without = (type: Entry['type']): Entry[] => wholeHistory(plan).filter((entry) => entry.type !== type);
const instead = (event: HistoryEvent & { readonly of?: string }): Entry[] =>
  wholeHistory(plan).map((entry) =>
    entry.type === event.type && (!('of' in entry) || entry.of === event.of) ? { at: entry.at, ...event } : entry,
  );
const gapOf = (window: Window, look: number) => ({
  layer: 'alerts' as const,
  query: 'GET /alerts',
  window,
  why: 'HTTP 503',
  look,
});

describe('a layer', () => {
  test('that blames the killed component for being gone explains the fault, and the drill passes', () => {
    const { outcome, exitCode, layers } = judged({ alerts: [alertOn('shop', later(2000))] });
    expect(outcome).toBe('pass');
    expect(exitCode).toBe(0);
    expect(layers.alerts.grade).toBe('explained');
    expect(layers.alerts.suspects[0]).toMatchObject({ ref: 'service:shop', kind: 'absent', since: iso(later(2000)) });
  });

  test('that blames the right component for the wrong thing has located the fault', () => {
    expect(judged({ alerts: [alertOn('shop', later(2000), 'HighErrorRate')] }).layers.alerts.grade).toBe('located');
  });

  test('that blames somebody else has only noticed, and the drill fails and says so', () => {
    const { outcome, because, layers } = judged({ alerts: [alertOn('bank', later(2000))] });
    expect(layers.alerts.grade).toBe('noticed');
    expect({ outcome, because }).toEqual({ outcome: 'fail', because: 'alerts is noticed, located is asked for' });
  });

  test('that was asked and shows nothing is silent when it is the alerts, blind when it is any other', () => {
    const { layers, outcome } = judged({});
    expect(layers.alerts.grade).toBe('silent');
    expect(layers.traces.grade).toBe('blind');
    expect(outcome).toBe('fail');
  });

  test('with no data is never a pass, whatever the others show', () => {
    const both = planOf(undefined, { expect: { alerts: 'located', traces: 'noticed' } });
    const { outcome, exitCode } = judged({ plan: both, alerts: [alertOn('shop', later(2000))] });
    expect({ outcome, exitCode }).toEqual({ outcome: 'layer-unhealthy', exitCode: 2 });
  });

  test('that is not named by the scenario is reported and not required', () => {
    const { layers, outcome } = judged({ alerts: [alertOn('shop', later(2000))] });
    expect(layers.logs).toMatchObject({ grade: 'blind', wanted: null });
    expect(outcome).toBe('pass');
  });
});

describe('what was there before the fault', () => {
  test('an alert that fired in the baseline already detects nothing', () => {
    const standing = alertOn('shop', since(plan, 'baseline', 1000));
    const { layers, outcome } = judged({ alerts: [standing, { ...standing, id: 'again', at: later(2000) }] });
    expect(layers.alerts.grade).toBe('silent');
    expect(outcome).toBe('fail');
  });

  test('a suspect whose trouble began before the injection detects nothing, not even for all layers together', () => {
    const early = judged({ alerts: [alertOn('shop', injected - fromMs(2000))] });
    expect(early.layers.alerts.suspects).toHaveLength(1);
    expect(early.layers.alerts.grade).toBe('silent');
    expect(early.layers.alerts.timeToDetect).toBeNull();
    expect(early.fused).toEqual({ grade: 'silent', suspects: [] });
  });
});

describe('a place', () => {
  const truth = { on: 'service:shop', kinds: ['absent'] } as const;
  const cut = { on: 'edge:web->shop', kinds: ['blocked'] } as const;
  const components = ['web', 'shop', 'shop-cache', 'stock'];

  test('a pod counts as its component, and of two components as the longer name', () => {
    expect(gradeSuspect({ ref: 'pod:shop-6d4f-x2x', kind: 'absent' }, truth, components)).toBe('explained');
    expect(gradeSuspect({ ref: 'pod:shop-cache-6d4f-x2x', kind: 'absent' }, truth, components)).toBe('noticed');
    expect(gradeSuspect({ ref: 'pod:nobody-1', kind: 'absent' }, truth, components)).toBe('noticed');
  });

  test.each(['service:web', 'service:shop', 'pod:shop-1'] as const)(
    "an edge's fault is located by its end %s, and not explained",
    (ref) => {
      expect(gradeSuspect({ ref, kind: 'blocked' }, cut, components)).toBe('located');
    },
  );

  test("a component's fault is located by the way into it, not by the way out of it", () => {
    expect(gradeSuspect({ ref: 'edge:web->shop', kind: 'absent' }, truth, components)).toBe('located');
    expect(gradeSuspect({ ref: 'edge:shop->stock', kind: 'absent' }, truth, components)).toBe('noticed');
  });

  test("an edge's fault is explained only by the edge, and the other direction is another edge", () => {
    expect(gradeSuspect({ ref: 'edge:web->shop', kind: 'blocked' }, cut, components)).toBe('explained');
    expect(gradeSuspect({ ref: 'edge:web->shop', kind: 'slow' }, cut, components)).toBe('located');
    expect(gradeSuspect({ ref: 'edge:shop->web', kind: 'blocked' }, cut, components)).toBe('noticed');
    expect(gradeSuspect({ ref: 'service:stock', kind: 'blocked' }, cut, components)).toBe('noticed');
  });
});

describe('silence', () => {
  const hold = { from: later(0), until: later(4000) };

  test('with a gap where an answer was needed is inconclusive, never a miss', () => {
    const { outcome, exitCode, because, gaps } = judged({ gaps: [gapOf(hold, 9)] });
    expect({ outcome, exitCode, because }).toEqual({
      outcome: 'inconclusive',
      exitCode: 2,
      because: 'alerts has gaps where an answer was needed',
    });
    expect(gaps).toEqual([
      {
        layer: 'alerts',
        query: 'GET /alerts',
        window: { from: iso(hold.from), until: iso(hold.until) },
        why: 'HTTP 503',
      },
    ]);
  });

  test('with a gap only in the warm-up, which nobody judges, is a miss', () => {
    expect(
      judged({ gaps: [gapOf({ from: since(plan, 'warm-up', 0), until: since(plan, 'warm-up', 900) }, 1)] }).outcome,
    ).toBe('fail');
  });

  test("with another layer's gap is a miss", () => {
    expect(judged({ gaps: [{ ...gapOf(hold, 9), layer: 'logs' }] }).outcome).toBe('fail');
  });

  test('of a layer that could not be asked even once is the layer’s own trouble', () => {
    const looks = looksOf(plan, 'alerts').map((look) => ({ ...look, gaps: 1 }));
    const { outcome, because } = judged({ looks, gaps: looks.map(({ window, n }) => gapOf(window, n)) });
    expect({ outcome, because }).toEqual({
      outcome: 'layer-unhealthy',
      because: 'alerts could not be asked: HTTP 503',
    });
  });

  const asking = looksOf(plan, 'alerts').map((look) => ({
    ...look,
    queries: ['GET /alerts', 'GET /rules'].map((text) => ({ id: text, text, url: text })),
  }));
  const gapsFrom = (at: Nanos) => asking.filter(({ asked }) => asked > at).map(({ window, n }) => gapOf(window, n));
  const told = (gaps: ReturnType<typeof gapOf>[]): Verdict =>
    judged({ alerts: [alertOn('shop', later(2000))], looks: asking, gaps });

  test('of a part that answered before the fault and then no more makes even a layer that saw it inconclusive', () => {
    const { outcome, because, layers } = told(gapsFrom(later(1500)));
    expect(layers.alerts.grade).toBe('explained');
    expect({ outcome, because }).toEqual({
      outcome: 'inconclusive',
      because: 'alerts: GET /alerts was answered before the fault and then no more (HTTP 503)',
    });
  });

  test('of a part that had never answered, or that answers again, is only told', () => {
    expect(told(gapsFrom(0n)).outcome).toBe('pass');
    expect(told(gapsFrom(later(0)).slice(0, -1)).outcome).toBe('pass');
  });

  test('a layer that saw the fault in spite of a gap passes', () => {
    expect(judged({ alerts: [alertOn('shop', later(2000))], gaps: [gapOf(hold, 9)] }).outcome).toBe('pass');
  });
});

describe('a layer that falls silent', () => {
  const both = planOf(undefined, { expect: { alerts: 'located', traces: 'noticed' } });
  const seen = [alertOn('shop', later(2000))];
  const traces = ledgerOf(plan)
    .filter(({ ended }) => ended! < iso(injected))
    .map((record) => spanOf(record));

  test('makes the drill unhealthy when something is wanted of it, for nothing is concluded from that silence', () => {
    const { outcome, exitCode, because, layers } = judged({ plan: both, alerts: seen, items: { traces } });
    expect({ outcome, exitCode }).toEqual({ outcome: 'layer-unhealthy', exitCode: 2 });
    expect(because).toMatch(
      /^traces: none of 49 tagged requests answered after the injection was seen there, of the baseline's 50 all were/,
    );
    expect(layers.traces).toMatchObject({ grade: 'blind', timeToDetect: null });
    expect(layers.alerts.grade).toBe('explained');
  });

  test('is blind and nobody else’s trouble when nothing is wanted of it', () => {
    const { outcome, layers } = judged({ alerts: seen, items: { traces } });
    expect(outcome).toBe('pass');
    expect(layers.traces.grade).toBe('blind');
  });

  test('is silent, and misses the fault, when it went on to show what was answered', () => {
    const all = ledgerOf(plan).map((record) => spanOf(record));
    const { outcome, because } = judged({ plan: both, alerts: seen, items: { traces: all } });
    expect({ outcome, because }).toEqual({ outcome: 'fail', because: 'traces is silent, noticed is asked for' });
  });

  const long = planOf(undefined, { hold: '15s', expect: { alerts: 'located' } });
  const starved = { metrics: scrapesOf(long, injected) };

  test('is believed in what located the fault before', () => {
    const { outcome, layers } = judged({ plan: long, alerts: seen, items: starved });
    expect(outcome).toBe('pass');
    expect(layers.alerts).toMatchObject({ grade: 'explained', sentinels: { silence: null } });
  });

  test('is not believed in whom else it blames, and that is told', () => {
    const { outcome, layers, fused } = judged({ plan: long, alerts: [alertOn('bank', later(2000))], items: starved });
    expect(outcome).toBe('layer-unhealthy');
    expect(layers.alerts).toMatchObject({ grade: 'blind', suspects: [] });
    expect(layers.alerts.why).toMatch(/that it blames service:bank \(absent\) may be that silence too$/);
    expect(fused.suspects).toEqual([]);
  });
});

describe('time to detect', () => {
  test('is a bracket: after the last quiet look, by the first firing one', () => {
    const { layers } = judged({ alerts: [alertOn('shop', later(2000))] });
    const looks = looksOf(plan, 'alerts');
    const firing = looks.find(({ asked }) => asked > later(2000))!;
    const quiet = looks[looks.indexOf(firing) - 1]!;
    const ms = (when: bigint) => Math.round(Number(when - injected) / 1e6);
    expect(layers.alerts.timeToDetect).toEqual({ atLeast: ms(quiet.asked), atMost: ms(firing.answered) });
    expect(layers.alerts.timeToLocate).toEqual(layers.alerts.timeToDetect);
  });

  test('counts a look that could not be answered as no quiet look', () => {
    const looks = looksOf(plan, 'alerts');
    const firing = looks.findIndex(({ asked }) => asked > later(2000));
    const lost = looks.map((look, i) => (i === firing - 1 ? { ...look, gaps: 1 } : look));
    const { timeToDetect } = judged({ looks: lost, alerts: [alertOn('shop', later(2000))] }).layers.alerts;
    expect(timeToDetect!.atLeast).toBe(Math.round(Number(looks[firing - 2]!.asked - injected) / 1e6));
  });

  test('is later than noticing when the right place was named later', () => {
    const { layers } = judged({
      alerts: [
        alertOn('bank', later(1500)),
        { ...alertOn('shop', later(3500)), labels: { alertname: 'shopDown', service: 'shop', severity: 'page' } },
      ],
    });
    expect(layers.alerts.timeToDetect!.atMost).toBeLessThan(4000);
  });

  test('is unknown when nothing was noticed', () => {
    const { timeToDetect, timeToLocate } = judged({}).layers.alerts;
    expect([timeToDetect, timeToLocate]).toEqual([null, null]);
  });
});

describe('an injection', () => {
  const seen = [alertOn('shop', later(2000))];
  const unwitnessed = instead({ type: 'witness', of: 'injection', says: '0 of 2 killed pods are gone', holds: false });

  test.each([
    ['although a layer blamed the right place', seen],
    ['although no layer saw anything', []],
  ])('that nothing witnesses is invalid, never a pass or a fail, %s', (_, alerts) => {
    const { outcome, exitCode, because } = judged({ history: unwitnessed, alerts });
    expect({ outcome, exitCode }).toEqual({ outcome: 'invalid-injection', exitCode: 2 });
    expect(because).toBe('nothing witnesses that the fault took effect: 0 of 2 killed pods are gone');
  });

  test('that the target refused is invalid', () => {
    const history = [
      ...without('injected'),
      at(later(0), { type: 'not-injected', why: 'no pod has that uid any more' }),
    ];
    expect(judged({ history, alerts: seen })).toMatchObject({
      outcome: 'invalid-injection',
      because: 'no pod has that uid any more',
    });
  });

  test('that was withheld because the platform was unsteady leaves the drill inconclusive', () => {
    const history = [
      ...without('injected'),
      at(later(0), { type: 'not-injected', why: 'no steady state: 50.0 % of 10 requests were answered well' }),
    ];
    expect(judged({ history }).outcome).toBe('inconclusive');
  });

  test('that nobody’s request came by is not exposed', () => {
    const ledger = ledgerOf(plan).map((record) => ({ ...record, request: 'GET /about' }));
    expect(judged({ ledger, alerts: seen })).toMatchObject({
      outcome: 'not-exposed',
      exitCode: 2,
      because: 'no request came by service:shop while the fault was in',
    });
  });

  test('is dated by the first intention, and told with its witnesses', () => {
    const ledger = ledgerOf(plan).map((record) =>
      record.intended >= iso(later(0)) && record.intended < iso(later(4900)) ? { ...record, status: 502 } : record,
    );
    const { groundTruth } = judged({ ledger, alerts: seen });
    expect(groundTruth).toMatchObject({
      on: 'service:shop',
      kind: 'absent',
      from: iso(injected),
      until: iso(since(plan, 'recovery', 0)),
      healWitnessedBy: ['2 of 2 pods ready again'],
    });
    expect(groundTruth.witnessedBy[0]).toBe('2 of 2 killed pods are gone');
    expect(groundTruth.witnessedBy[1]).toMatch(
      /^ledger: all requests failed more: 100\.0 % of \d+, baseline 0\.0 % of 50/,
    );
  });
});

describe('a run', () => {
  const seen = [alertOn('shop', later(2000))];

  test('that is still broken wins over everything', () => {
    const history = [
      ...instead({ type: 'witness', of: 'injection', says: 'no', holds: false }),
      at(later(9000), { type: 'aborted', why: 'stopped by SIGINT' }),
      at(later(9000), { type: 'still-broken', why: 'healing: not within 90 s' }),
    ];
    expect(judged({ history, ledger: [], alerts: seen })).toMatchObject({
      outcome: 'still-broken',
      exitCode: 3,
      because: 'healing: not within 90 s',
    });
  });

  test('whose healing was looked for and not seen is still broken', () => {
    const history = instead({ type: 'witness', of: 'healing', says: '1 of 2 pods ready again', holds: false });
    expect(judged({ history, alerts: seen })).toMatchObject({
      outcome: 'still-broken',
      because: 'healed, but not by what was seen: 1 of 2 pods ready again',
    });
  });

  test('that was ended early is inconclusive', () => {
    expect(
      judged({
        history: [...wholeHistory(plan), at(later(1), { type: 'aborted', why: 'stopped by SIGINT' })],
        alerts: seen,
      }),
    ).toMatchObject({ outcome: 'inconclusive', because: 'ended early: stopped by SIGINT' });
  });

  test('whose hold the abort condition cut short is inconclusive', () => {
    const history = [...wholeHistory(plan), at(later(1), { type: 'cut-short', why: 'up{} < 1' })];
    expect(judged({ history, alerts: seen })).toMatchObject({
      outcome: 'inconclusive',
      because: 'the hold was cut short: up{} < 1',
    });
  });

  test('that did not come to its end is inconclusive', () => {
    expect(judged({ history: without('ended'), alerts: seen }).outcome).toBe('inconclusive');
  });

  test('whose client was saturated is never a pass', () => {
    const { outcome, because, traffic } = judged({ ledger: ledgerOf(plan).slice(1), alerts: seen });
    expect(outcome).toBe('inconclusive');
    expect(because).toBe('the client itself could not keep up: 1 planned requests have no record');
    expect(traffic.saturated).not.toBeNull();
  });

  test('gives the same verdict byte for byte, in whatever order its ledger and items were stored', () => {
    const alerts = [...seen, alertOn('bank', later(3000)), alertOn('stock', later(3000))];
    const { ledgerSha256, ...said } = judged({ alerts });
    const turned = judged({ alerts: [...alerts].reverse(), ledger: ledgerOf(plan).reverse() });
    // The checksum is of the file as it is.
    expect(turned.ledgerSha256).not.toBe(ledgerSha256);
    expect(JSON.stringify({ ...turned, ledgerSha256: undefined })).toBe(JSON.stringify(said));
  });
});

describe('a control', () => {
  const control = planOf(none());
  const looks = looksOf(control, 'alerts');
  /** What its requests show when the machine under the platform has less to give from the end of the baseline on. */
  const quiet = since(control, 'quiet', 0);
  const starved = [...trafficOf(control, 'http://web').requests].map((one) =>
    recordOf(one, START + fromMs(one.atMs) < quiet ? 10 : 30),
  );

  test('in which nobody is blamed passes', () => {
    expect(judged({ plan: control, looks })).toMatchObject({
      outcome: 'pass',
      exitCode: 0,
      groundTruth: { on: null, from: null },
    });
  });

  test.each(['quiet', 'hold'] as const)(
    'with a suspect whose trouble began in the %s fails, and its grade says as much',
    (name) => {
      const { outcome, because, layers } = judged({
        plan: control,
        looks,
        alerts: [alertOn('stock', since(control, name, 10))],
      });
      expect({ outcome, because }).toEqual({
        outcome: 'fail',
        because: 'false alarm with no fault in: alerts blames service:stock (absent)',
      });
      expect(layers.alerts.grade).toBe('noticed');
    },
  );

  test('in which a layer blames somebody while the ledger itself got worse is no proof of a false alarm', () => {
    const alerts = [alertOn('stock', since(control, 'hold', 10))];
    const { outcome, exitCode, because, groundTruth } = judged({ plan: control, looks, alerts, ledger: starved });
    expect({ outcome, exitCode }).toEqual({ outcome: 'inconclusive', exitCode: 2 });
    expect(because).toMatch(
      /^with no fault in, all requests slower: .*; so what is reported may be right \(alerts blames service:stock \(absent\)\): run the control again$/,
    );
    expect(groundTruth.witnessedBy).toEqual(['2 of 2 killed pods are gone']);
  });

  test('in which nobody is blamed passes, whatever the ledger shows: nothing alarmed anybody', () => {
    expect(judged({ plan: control, looks, ledger: starved }).outcome).toBe('pass');
  });

  test('in which a layer that was asked showed no data at all proves nothing about that layer', () => {
    const { outcome, because } = judged({ plan: control, looks: [...looks, ...looksOf(control, 'traces')] });
    expect(outcome).toBe('layer-unhealthy');
    expect(because).toMatch(/^traces: none of \d+ tagged requests .*: its silence proves nothing$/);
  });

  test('in which alerts blame somebody when no sample arrives any more raises no false alarm, and proves nothing', () => {
    const long = planOf(none(), { hold: '15s' });
    const { outcome, layers } = judged({
      plan: long,
      looks: [...looksOf(long, 'alerts'), ...looksOf(long, 'metrics')],
      alerts: [alertOn('stock', since(long, 'hold', 10))],
      items: { metrics: scrapesOf(long, since(long, 'quiet', 0)) },
    });
    expect(outcome).toBe('layer-unhealthy');
    expect(layers.alerts).toMatchObject({ grade: 'blind', suspects: [] });
  });
});

describe('all layers together', () => {
  test('blame by the sum of what each is sure of, a pod counted with its component', () => {
    const { fused, layers } = judged({ alerts: [alertOn('shop', later(2000))] });
    expect(fused.grade).toBe('explained');
    expect(fused.suspects).toEqual([
      {
        ref: 'service:shop',
        kind: 'absent',
        score: Math.round((layers.alerts.suspects[0]!.score / 6) * 1000) / 1000,
        layers: ['alerts'],
      },
    ]);
  });

  test('are blind when all of them are, silent when one could have spoken', () => {
    expect(judged({ looks: [] }).fused.grade).toBe('blind');
    expect(judged({}).fused.grade).toBe('silent');
  });
});

describe('an expectation', () => {
  const seen = [alertOn('shop', later(2000))];
  const asking = planOf(undefined, { expect: { also: [promql('sum(errors)', '3s').atLeast(2)] } });
  const asked = (ms: number, value: number | null, failed: string | null = null) => ({
    expectation: 0,
    at: later(ms),
    value,
    query: 'sum(errors)',
    failed,
  });
  const holds = (answers: ReturnType<typeof asked>[]) => judged({ plan: asking, asked: answers }).expectations[0]!;

  test('holds by one look within its time, and names it', () => {
    expect(holds([asked(500, 0), asked(1500, 2)])).toEqual({
      says: 'promql sum(errors) >= 2 within 3s',
      holds: true,
      evidence: [`${iso(later(1500))} sum(errors) = 2`],
      why: `first true at ${iso(later(1500))}`,
    });
  });

  test('does not hold by a look before the injection or after its time', () => {
    expect(holds([asked(-500, 9), asked(1000, 1), asked(3500, 9)]).holds).toBe(false);
    expect(judged({ plan: asking, asked: [asked(1000, 1)] })).toMatchObject({
      outcome: 'fail',
      because: 'not so: promql sum(errors) >= 2 within 3s',
    });
  });

  test('is open when nobody answered, or when one of the looks failed and no other found it true', () => {
    expect(holds([])).toMatchObject({ holds: null, why: 'it was never asked in that time' });
    expect(holds([asked(1000, 0), asked(2000, null, 'HTTP 503')])).toMatchObject({ holds: null, why: 'HTTP 503' });
    expect(judged({ plan: asking, asked: [asked(1000, null, 'HTTP 503')] }).outcome).toBe('inconclusive');
  });

  test('an empty answer is nothing, not 0', () => {
    const atMost = planOf(undefined, { expect: { also: [promql('sum(ok)', '3s').atMost(0)] } });
    expect(judged({ plan: atMost, asked: [asked(1000, null)] }).expectations[0]!.holds).toBe(false);
    expect(judged({ plan: atMost, asked: [asked(1000, 0)] }).expectations[0]!.holds).toBe(true);
  });

  test('of an alert holds by an alert that fires with those labels, and by no other', () => {
    const ask = (labels: Record<string, string>) => judged({ plan: wanting([labels]), alerts: seen }).expectations[0]!;
    expect(ask({ alertname: 'shopDown', severity: 'critical' })).toMatchObject({
      holds: true,
      evidence: [seen[0]!.id],
    });
    expect(ask({ alertname: 'bankDown' })).toMatchObject({ holds: false, why: 'none among 1 seen in that time' });
  });

  test('is open when nothing was injected', () => {
    expect(
      judged({ plan: wanting([{ service: 'shop' }]), history: without('injected'), alerts: seen }).expectations[0],
    ).toMatchObject({ holds: null, why: 'nothing was injected' });
  });
});

test('only a pass exits with 0, only a fail with 1, only still broken with 3', () => {
  expect(OUTCOMES.map(exitCodeOf)).toEqual([0, 1, 2, 2, 2, 2, 3]);
});

test('a delay on an edge is explained by slowness of that edge and located by its callee', () => {
  const slow = planOf(latency('web->shop', '300ms'));
  const { layers } = judged({ plan: slow, alerts: [alertOn('shop', later(2000), 'HighLatency')] });
  expect(layers.alerts).toMatchObject({ grade: 'located', suspects: [{ kind: 'slow' }] });
});
