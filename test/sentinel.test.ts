import { describe, expect, test } from '@jest/globals';
import { none } from '../src/faults/none.ts';
import type { AlertItem, FlowItem, Item, LayerName, LogItem, Nanos } from '../src/model.ts';
import type { Plan } from '../src/plan.ts';
import { type Sentinels, sentinels } from '../src/sentinel.ts';
import { fromIso, fromMs, toMs } from '../src/time.ts';
import type { LedgerRecord } from '../src/traffic/ledger.ts';
import { random } from '../src/traffic/random.ts';
import {
  alertOn,
  injectedAt,
  ledgerOf,
  lookAt,
  looksOf,
  planOf,
  START,
  type Story,
  scrapesOf,
  since,
  spanOf,
  storedRun,
} from './helpers/tiny.ts';

type Seen<I extends Item = Item> = I & { readonly seen: number };

/** Later than any drill here. */
const END = START + fromMs(3_600_000);
const plan = planOf();
const injected = injectedAt(plan);
const baselineOf = (of: Plan) => ({ from: since(of, 'baseline', 0), until: since(of, 'quiet', 0) });

const lineOf = ({ sent }: LedgerRecord, line: string, service = 'web'): Seen<LogItem> => ({
  id: `line-${sent}`,
  at: fromIso(sent!),
  seen: lookAt(fromIso(sent!) + fromMs(300)),
  service,
  pod: null,
  labels: {},
  line,
});

const flowAt = (at: Nanos, source: string | null, destination: string | null): Seen<FlowItem> => ({
  id: `flow-${at}`,
  at,
  seen: lookAt(at + fromMs(300)),
  verdict: 'FORWARDED',
  dropReason: null,
  source: { ip: '198.18.0.1', port: 40_000, pod: null, service: source },
  destination: { ip: '198.18.0.2', port: 8080, pod: null, service: destination },
  protocol: 'TCP',
  flags: [],
  reply: null,
  direction: null,
  http: null,
});

const of = (layer: LayerName, items: readonly Seen[] = [], story: Story = {}): Sentinels | null => {
  const stored = storedRun({ ...story, items: { ...story.items, [layer]: items } });
  return sentinels(layer, stored, baselineOf(stored.plan));
};

const ledger = ledgerOf(plan);
const sentBefore =
  (when: Nanos) =>
  ({ sent }: LedgerRecord): boolean =>
    fromIso(sent!) < when;
const later = (ms: number): Nanos => injected + fromMs(ms);

describe('a sentinel of the', () => {
  test('traces is any span of its trace, whoever made it', () => {
    expect(
      of(
        'traces',
        ledger.map((one) => spanOf(one)),
      ),
    ).toMatchObject({
      by: 'its trace id',
      baseline: { sent: 50, arrived: 50 },
      test: { sent: 49, arrived: 49 },
      silence: null,
    });
  });

  test('traces is a span of the entry at the time, where the platform begins traces of its own', () => {
    const own = ledger.map((one) => ({ ...spanOf(one), service: 'web', traceId: `own-${one.n}` }));
    expect(of('traces', own)).toMatchObject({
      by: 'any of the traces of web at the time',
      test: { sent: 49, arrived: 49 },
    });
  });

  test.each([
    ['its request id in JSON', (one: LedgerRecord) => `{"request_id":"long-enough-${one.requestId}"}`],
    ['its trace id inside of a traceparent', (one: LedgerRecord) => `traceparent=00-${one.traceId}-1-03 done`],
    ['its correlation id', (one: LedgerRecord) => `corr: ${one.correlationId}, 12 ms`],
  ])('logs is a line of any component with %s', (_, line) => {
    const own = ledger.map((one) => ({
      ...one,
      requestId: `long-enough-request-${one.n}`,
      correlationId: `firedrill-tiny-run-${one.n}-x`,
    }));
    const items = own.map((one) => lineOf(one, line({ ...one, requestId: `request-${one.n}` }), 'stock'));
    expect(of('logs', items, { ledger: own })).toMatchObject({
      by: 'a line with its request or trace id',
      test: { sent: 49, arrived: 49 },
    });
  });

  test('logs is a line of the entry at the time, where lines carry no id', () => {
    const items = ledger.flatMap((one) => [lineOf(one, 'request served'), lineOf(one, 'item read', 'stock')]);
    expect(of('logs', items)).toMatchObject({
      by: 'any of the logs of web at the time',
      baseline: { sent: 50, arrived: 50 },
    });
  });

  test('metrics is a sample of the entry after it, whose counter of requests went up', () => {
    expect(of('metrics', scrapesOf(plan, END))).toMatchObject({
      by: 'a request counter of web that rose',
      baseline: { sent: 50, arrived: 50 },
      test: { sent: 49, arrived: 49 },
    });
  });

  test('flows is a flow from or to the entry, and of nobody else while there are such', () => {
    const items = ledger.map(({ sent, n }) =>
      n % 2 === 0 ? flowAt(fromIso(sent!), null, 'web') : flowAt(fromIso(sent!), 'shop', 'stock'),
    );
    expect(of('flows', items)).toMatchObject({
      by: 'any of the flows of web at the time',
      baseline: { arrived: 50 },
    });
  });

  test('alerts is one that fires all the time, which Alertmanager has to hold too, with the labels that others add', () => {
    const watchdog: Seen<AlertItem> = {
      ...alertOn('any', START - fromMs(60_000), 'Watchdog'),
      source: 'prometheus',
    };
    const held = { ...watchdog, id: 'am', source: 'alertmanager' as const, labels: { ...watchdog.labels, site: 'x' } };
    expect(of('alerts', [watchdog, { ...watchdog, id: 'again' }, held])).toMatchObject({
      by: 'alerts that fire all the time, in Alertmanager too',
      baseline: { sent: 1, arrived: 1 },
    });
    expect(of('alerts', [watchdog])).toMatchObject({ baseline: { sent: 1, arrived: 0 }, silence: null });
    expect(of('alerts')).toMatchObject({ by: 'no sentinel: nothing fires all the time here', silence: null });
  });

  test('layer that was never asked is none', () => {
    expect(of('traces', [], { looks: looksOf(plan, 'logs') })).toBeNull();
  });
});

describe('only a request that was answered well', () => {
  test('is a sentinel: what failed, was refused or never sent promises nothing', () => {
    const bad = ledger.map((one, i) =>
      sentBefore(injected)(one)
        ? one
        : [
            { ...one, status: 502 },
            { ...one, status: null, error: 'timeout' },
            { ...one, sent: null, ended: null, status: null, error: 'not sent' },
          ][i % 3]!,
    );
    const items = ledger.filter(sentBefore(injected)).map((one) => spanOf(one));
    expect(of('traces', items, { ledger: bad })).toMatchObject({
      baseline: { sent: 50, arrived: 50 },
      test: { sent: 0, arrived: 0 },
      silence: null,
    });
  });
});

describe('ingestion lag', () => {
  test('lies between the last look that asked in vain and the first that was shown it', () => {
    const one = ledger.find(({ n }) => n === 20)!;
    const items = [{ ...spanOf(one), seen: 6 }];
    const ms = (n: number): number => Math.round(toMs(START + fromMs(n * 1000) - fromIso(one.ended!)));
    expect(of('traces', items)!.lagMs).toEqual({
      median: { atLeast: ms(5), atMost: ms(6) + 100 },
      max: { atLeast: ms(5), atMost: ms(6) + 100 },
    });
  });

  test('counts no look as asked in vain that was not answered, or that asked about a later time', () => {
    const one = ledger.find(({ n }) => n === 20)!;
    const lost = looksOf(plan, 'traces').map((look) => (look.n === 4 ? { ...look, gaps: 1 } : look));
    const looks = lost.map((look) => (look.n === 5 ? { ...look, window: { ...look.window, from: look.asked } } : look));
    const { atLeast } = of('traces', [{ ...spanOf(one), seen: 6 }], { looks })!.lagMs!.median;
    expect(atLeast).toBe(Math.round(toMs(START + fromMs(3000) - fromIso(one.ended!))));
  });

  test('is unknown when nothing arrived', () => {
    expect(of('traces')!.lagMs).toBeNull();
  });
});

describe('a layer has fallen silent', () => {
  const until = (when: Nanos) => ledger.filter(sentBefore(when)).map((one) => spanOf(one));

  test('when no sentinel ever arrives', () => {
    expect(of('traces')).toMatchObject({
      silence:
        "none of 49 tagged requests answered after the injection was seen there, nor any of the baseline's 50: its silence proves nothing",
    });
  });

  test('when those of the baseline arrived and none after the injection did', () => {
    expect(of('traces', until(injected))!.silence).toBe(
      "none of 49 tagged requests answered after the injection was seen there, of the baseline's 50 all were: its silence proves nothing",
    );
  });

  test('when it stops in mid-fault, and the instant is named', () => {
    expect(of('traces', until(later(1000)))!.silence).toMatch(
      /^none of 39 tagged requests answered after the injection from 2026-\S+ on was seen there/,
    );
  });

  test.each(['logs', 'flows'] as const)('when the %s stop that show sentinels by their time only', (layer) => {
    const items = ledger
      .filter(sentBefore(injected))
      .map((one) => (layer === 'logs' ? lineOf(one, 'served') : flowAt(fromIso(one.sent!), 'web', 'shop')));
    expect(of(layer, items)!.silence).toMatch(/^none of \d+ tagged requests .* of the baseline's 50 all were/);
  });

  test('when a scrape still comes, but the counter of the entry stands still while it answers', () => {
    const long = planOf(undefined, { hold: '15s' });
    const frozen = scrapesOf(long, END, (at) => at < injectedAt(long));
    expect(of('metrics', frozen, { plan: long })!.silence).toMatch(/^none of \d+ tagged requests/);
  });

  test('when it is the alerts and no sample of anybody arrives any more for their rules to judge', () => {
    const long = planOf(undefined, { hold: '15s' });
    const starved = { metrics: scrapesOf(long, injectedAt(long)) };
    expect(of('alerts', [], { plan: long, items: starved })!.silence).toMatch(
      /^rules had no samples to judge: none of \d+ tagged requests/,
    );
    expect(of('alerts', [], { plan: long, items: { metrics: scrapesOf(long, END) } })!.silence).toBeNull();
  });
});

describe('a layer has not fallen silent', () => {
  const before = ledger.filter(sentBefore(injected));

  test('when a sampler keeps one in fifty, and by chance none of those after the injection', () => {
    expect(of('traces', [spanOf(before[20]!)])).toMatchObject({ test: { arrived: 0 }, silence: null });
  });

  test('when some are missing and others come after them', () => {
    const items = ledger.filter(({ n }) => n % 3 === 0).map((one) => spanOf(one));
    expect(of('traces', items)!.silence).toBeNull();
  });

  test('when it was as silent for as long in the baseline', () => {
    const bursts = ledger.filter(
      (one) => toMs(fromIso(one.sent!) - since(plan, 'baseline', 0)) % 10_000 < 1500 || !sentBefore(injected)(one),
    );
    const items = bursts.filter(sentBefore(injected)).map((one) => spanOf(one));
    expect(of('traces', items)).toMatchObject({ test: { arrived: 0 }, silence: null });
  });

  test('when it is slow, and was not asked any more by the time', () => {
    const looks = looksOf(plan, 'traces').filter(({ asked }) => asked < later(3000));
    expect(
      of(
        'traces',
        before.map((one) => spanOf(one)),
        { looks },
      ),
    ).toMatchObject({
      test: { sent: 9, arrived: 0 },
      silence: null,
    });
  });

  test('when it could not be asked: then there are gaps, which say so themselves', () => {
    const looks = looksOf(plan, 'traces').map((look) => (look.asked > injected ? { ...look, gaps: 1 } : look));
    expect(
      of(
        'traces',
        before.map((one) => spanOf(one)),
        { looks },
      ),
    ).toMatchObject({
      test: { sent: 0 },
      silence: null,
    });
  });
});

describe('of a control on a busy machine', () => {
  const SEEDS = 10;

  /** Poisson traffic, one request in 200 fails. */
  const drill = (seed: number) => {
    const next = random(seed, 1);
    const rate = 5 + Math.floor(next() * 46);
    const seconds = () => `${15 + Math.floor(next() * 46)}s` as const;
    const planned = planOf(none(), {
      traffic: { rate: `${rate}/s`, arrivals: 'poisson', journeys: { buy: 1 } },
      baseline: seconds(),
      hold: seconds(),
    });
    const control = { ...planned, seed };
    const all = ledgerOf(control).map((one) => (next() < 0.005 ? { ...one, status: 500 } : one));
    return { control, all, next };
  };

  /** Stretches of up to `ms` milliseconds in which all is lost, one about every ten seconds. */
  const losses = (of: Plan, ms: number, next: () => number): ((at: Nanos) => boolean) => {
    const starts = Array.from({ length: Math.ceil(of.phases.at(-1)!.until / 10_000) }, (_, i) => {
      const from = START + fromMs(i * 10_000 + next() * 10_000);
      return { from, until: from + fromMs(next() * ms) };
    });
    return (at) => starts.some(({ from, until }) => at >= from && at < until);
  };

  const drills = Array.from({ length: SEEDS }, (_, seed) => drill(seed));
  const silences = (tell: (one: (typeof drills)[number]) => Sentinels | null): string[] =>
    drills.flatMap((one) => tell(one)?.silence ?? []);

  test.each([1, 0.2, 0.02])(
    'no silence is found in traces of which a share of %d is kept, batches are lost and the lag varies',
    (share) => {
      const found = silences(({ control, all, next }) => {
        const lost = losses(control, 1500, next);
        const kept = all.filter(({ sent }) => next() < share && !lost(fromIso(sent!)));
        const items = kept.map((one) => spanOf(one, 200 - 1500 * Math.log(1 - next())));
        // A seed that keeps nothing at all is silent, and rightly called so.
        return items.length > 0 ? of('traces', items, { plan: control, ledger: all }) : null;
      });
      expect(found).toEqual([]);
    },
  );

  test('nor in a counter that misses scrapes', () => {
    const found = silences(({ control, all, next }) => {
      const items = scrapesOf(control, END).filter(() => next() < 0.9);
      return of('metrics', items, { plan: control, ledger: all });
    });
    expect(found).toEqual([]);
  });

  test('nor in flows of one lasting connection, told every five seconds', () => {
    const found = silences(({ control, all, next }) => {
      const first = next() * 5000;
      const items = Array.from({ length: Math.floor(control.phases.at(-1)!.until / 5000) }, (_, i) =>
        flowAt(START + fromMs(first + i * 5000), 'web', 'shop'),
      );
      return of('flows', items, { plan: control, ledger: all });
    });
    expect(found).toEqual([]);
  });

  test('but a layer that goes dead at the injection is found on every seed', () => {
    const found = silences(({ control, all }) => {
      const items = all.filter(sentBefore(injectedAt(control))).map((one) => spanOf(one));
      return of('traces', items, { plan: control, ledger: all });
    });
    expect(found).toHaveLength(SEEDS);
  });
});
