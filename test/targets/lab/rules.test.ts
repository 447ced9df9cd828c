import { describe, expect, test } from '@jest/globals';
import { type PlatformProfile, platform } from '../../../src/platform.ts';
import { standardRules } from '../../../src/targets/lab/rules.ts';
import { type Case, fired, judge, promtool } from './promtool.ts';
import { type Moment, type Series, type Simulation, simulate } from './simulation.ts';

const PROFILE: PlatformProfile = {
  name: 'pair',
  entry: 'caller',
  components: {
    caller: { endpoints: { 'GET /': { work: '20ms', calls: [{ to: 'callee', request: 'GET /' }] } } },
    callee: { endpoints: { 'GET /': { work: '20ms', errors: 0.005 } } },
  },
  journeys: { all: [{ request: 'GET /', at: '0s' }] },
};
const RULES = standardRules(platform(PROFILE), 1000);

const SECONDS = 100;
const FAULT_AT = 50;
const during =
  (moment: Moment) =>
  (second: number): Moment =>
    second >= FAULT_AT && second < 80 ? moment : {};
const simulation = (rest: Partial<Simulation>): Simulation => ({
  seed: 1,
  rate: 20,
  seconds: SECONDS,
  workMs: 20,
  pauseEvery: 15,
  fault: () => ({}),
  ...rest,
});

const alarm = (alertname: string, service: string, peer = ''): string =>
  `{alertname="${alertname}", service="${service}"${peer ? `, peer="${peer}"` : ''}}`;
const SLOW = [
  alarm('HighCallLatency', 'caller', 'callee'),
  alarm('HighLatency', 'callee'),
  alarm('HighLatency', 'caller'),
];

const metricsCase = (name: string, it: Partial<Simulation>, gives: readonly string[]): Case => ({
  name,
  series: simulate(simulation(it)),
  expr: fired(0, SECONDS),
  at: SECONDS - 1,
  gives,
});

const judged = (name: string, cases: () => readonly Case[], rules = RULES): void => {
  const say = promtool ? test : test.skip;
  say(name, async () => expect(await judge(promtool!, rules, cases())).toBe(''), 120_000);
};

/** `up` per second: 1, 0 or nothing there, the way a target that left discovery goes stale. */
const up = (service: string, pod: string, values: string): Series => ({
  series: `up{job="pods",service="${service}",pod="${pod}",uid="${pod}",instance="${pod}:1"}`,
  values,
});
const presence = (name: string, series: readonly Series[], gives: readonly string[]): Case => ({
  name,
  series,
  expr: fired(0, 60),
  at: 59,
  gives,
});

describe('in normal operation', () => {
  const SEEDS = Array.from({ length: 4 }, (_, seed) => seed);
  judged(
    'nothing fires at 2 to 50 requests a second, with pauses, background errors and a slow start, on every seed',
    () =>
      [2, 10, 50].flatMap((rate) =>
        SEEDS.map((seed) => metricsCase(`rate ${rate} seed ${seed}`, { rate, seed: seed * 100 + rate }, [])),
      ),
  );
  judged('nothing fires however fast or slow the platform is', () =>
    [2, 200, 900].map((workMs) => metricsCase(`work ${workMs}`, { workMs, rate: 10, seed: workMs }, [])),
  );
  judged('one second of nothing but timeouts fires nothing', () => [
    metricsCase('burst', { rate: 30, fault: (second) => (second === FAULT_AT ? { unanswered: 1 } : {}) }, []),
  ]);
  judged('a failed scrape now and then fires nothing', () => [
    presence('hiccup', [up('callee', 'callee-1', '1x20 0 1x10 0 1x20')], []),
  ]);
});

describe('a slow component', () => {
  judged('fires for itself and its caller, at every rate', () =>
    [2, 5, 20, 50].map((rate) =>
      metricsCase(`rate ${rate}`, { rate, seed: rate, fault: during({ add: { ms: 300, share: 1 } }) }, SLOW),
    ),
  );
  judged('fires when only some of its requests are slow', () => [
    metricsCase('minority', { rate: 30, fault: during({ add: { ms: 600, share: 0.35 } }) }, SLOW),
  ]);
  judged('keeps firing as long as it is slow, and stops when it is not', () => {
    const fault = (second: number): Moment => (second >= 40 && second < 110 ? { add: { ms: 200, share: 1 } } : {});
    const series = simulate(simulation({ seconds: 160, fault }));
    const now = 'group by (alertname, service, peer) (ALERTS{alertstate="firing"})';
    return [
      { name: 'lasting', series, expr: now, at: 108, gives: SLOW },
      { name: 'over', series, expr: now, at: 159, gives: [] },
    ];
  });
});

describe('errors', () => {
  judged('of a component fire for it and for the calls to it', () =>
    [5, 40].map((rate) =>
      metricsCase(`rate ${rate}`, { rate, fault: during({ failing: 0.6 }) }, [
        alarm('CallErrors', 'caller', 'callee'),
        alarm('HighErrorRate', 'callee'),
        alarm('HighErrorRate', 'caller'),
      ]),
    ),
  );
  judged('without an answer fire for the caller and name the peer', () => [
    metricsCase('blocked', { rate: 10, workMs: 300, fault: during({ unanswered: 1 }) }, [
      alarm('CallsUnanswered', 'caller', 'callee'),
      alarm('HighErrorRate', 'caller'),
    ]),
  ]);
  test('that the profile itself lets happen raise the limit, failures of callees included', () => {
    const failing = structuredClone(PROFILE);
    failing.components.callee!.endpoints['GET /']!.errors = 0.2;
    const expr = standardRules(platform(failing)).alerts.find((one) => one.name === 'HighErrorRate')!.expr;
    expect(expr).toContain('> 0.65');
    expect(expr).toContain('> 0.5');
  });
});

describe('a pod', () => {
  const STEADY = up('caller', 'caller-1', '1x60');
  judged('that fails three scrapes is down', () => [
    presence('frozen', [STEADY, up('callee', 'callee-1', '1x30 0x30')], [alarm('PodDown', 'callee')]),
  ]);
  judged('that fails one scrape and leaves discovery is down, too', () => [
    presence(
      'killed',
      [STEADY, up('callee', 'callee-1', '1x30 0 stale'), up('callee', 'callee-2', '1x60')],
      [alarm('PodDown', 'callee')],
    ),
  ]);
  judged('that was the last one leaves its service absent', () => [
    presence('gone', [STEADY, up('callee', 'callee-1', '1x30 stale')], [alarm('ServiceAbsent', 'callee')]),
  ]);
  judged('with a new process start time is told, the first start is not', () => {
    const start = (pod: string, values: string): Series => ({
      series: `process_start_time_seconds{service="callee",pod="${pod}"}`,
      values,
    });
    return [
      presence(
        'restart',
        [start('callee-1', '-5x40 stale'), start('callee-2', '_x45 44x15')],
        [alarm('ServiceRestarted', 'callee')],
      ),
      presence('start', [start('callee-1', '_x4 -5x56'), start('callee-2', '_x7 3x53')], []),
    ];
  });
});

describe('resource use', () => {
  const cpu = (values: string): Series => ({
    series: 'process_cpu_seconds_total{service="callee",pod="callee-1"}',
    values,
  });
  const memory = (values: string): Series => ({
    series: 'process_resident_memory_bytes{service="callee",pod="callee-1"}',
    values,
  });
  judged('fires for a stolen core and for a leak, not for steady or growing-up use', () => [
    presence('core', [cpu('0+0.1x30 4+1x30')], [alarm('HighCpu', 'callee')]),
    presence('busy', [cpu('0+0.85x60')], []),
    presence('leak', [memory('100000000x20 100000000+20000000x40')], [alarm('HighMemory', 'callee')]),
    presence('warm-up', [memory('50000000+3000000x30 140000000x30')], []),
  ]);
});

describe('a profile with its own names', () => {
  const named = platform({
    ...PROFILE,
    telemetry: {
      metrics: {
        requests: 'rpc_server_total',
        duration: 'rpc_server_ms',
        clientRequests: 'rpc_client_total',
        clientDuration: null,
        unit: 'milliseconds',
        labels: { service: 'app', peer: 'service', status: 'code' },
      },
    },
    recording: [{ record: 'own:rate', expr: 'sum(rate(rpc_server_total[1m]))' }],
    alerts: [{ name: 'Own', expr: 'own:rate > 1e9' }],
  });
  const rules = standardRules(named, 5000);
  const text = JSON.stringify(rules);
  test('has its metrics, unit and labels in the rules, and windows of its scrapes', () => {
    expect(text).toContain('rpc_client_total{code=~');
    expect(text).toContain('by (service, exported_service)');
    expect(text).toContain('p98 + 10 and');
    expect(text).toContain('[40000ms]');
  });
  test('without client histograms has no rule on them', () => {
    expect(rules.alerts.map((one) => one.name)).not.toContain('HighCallLatency');
  });
  test('keeps its own rules', () => {
    expect(rules.recording.map((one) => one.record)).toContain('own:rate');
    expect(rules.alerts.map((one) => one.name)).toContain('Own');
  });
  judged('is valid PromQL', () => [{ name: 'none', series: [], expr: 'ALERTS', at: 10, gives: [] }], rules);
});
