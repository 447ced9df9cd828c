import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Usage } from '../src/errors.ts';
import { alert, flow, GRADES, gradeAtLeast, inWords, logql, promql, trace } from '../src/expect.ts';
import { latency } from '../src/faults/latency.ts';
import { podKill } from '../src/faults/pod-kill.ts';
import { controlOf, isScenario, perSecond, scenario } from '../src/scenario.ts';

/** What scenario() says to an author whose editor did not stop them. */
const complaint = (input: unknown): string => {
  try {
    scenario('a drill', input as never);
    return 'none';
  } catch (error) {
    expect(error).toBeInstanceOf(Usage);
    return (error as Usage).message;
  }
};

describe('a scenario', () => {
  test('needs no more than a name: everything else has a default', () => {
    expect(scenario('a drill')).toMatchObject({
      name: 'a drill',
      platform: 'trading',
      fault: { kind: 'none' },
      hold: '20s',
      demands: {},
      also: [],
      traffic: { rate: '25/s', arrivals: 'poisson' },
    });
  });

  test('keeps what it was given, and its demands apart from its further expectations', () => {
    const made = scenario('a drill', {
      fault: podKill('shop'),
      hold: '5s',
      expect: { traces: 'located', also: [alert({ alertname: 'Down' })] },
    });
    expect(made).toMatchObject({
      fault: { on: 'service:shop' },
      hold: '5s',
      demands: { traces: 'located' },
      also: [{ kind: 'alert', within: '30s' }],
    });
    expect(made.demands).not.toHaveProperty('also');
  });

  test('can’t be changed once it is made', () => {
    expect(Object.isFrozen(scenario('a drill'))).toBe(true);
  });

  test('is known by being one, not by its looks', () => {
    const made = scenario('a drill');
    expect([isScenario(made), isScenario({ ...made }), isScenario(null), isScenario('a drill')]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test('has a control twin: the same traffic and times, nothing broken, nothing asked for', () => {
    const drill = scenario('a drill', {
      fault: podKill('shop'),
      traffic: { rate: '7/s' },
      hold: '5s',
      expect: { traces: 'located' },
    });
    const control = controlOf(drill);
    expect(control).toEqual({ ...drill, name: 'control of a drill', fault: { kind: 'none' }, demands: {}, also: [] });
    expect(isScenario(control)).toBe(true);
  });
});

describe('what a type check would have found is told in one line with its field', () => {
  test.each([
    [{ hold: 20 }, 'hold: 20 is not a duration such as 250ms, 20s or 2m'],
    [{ hold: '20' }, "hold: '20' is not a duration such as 250ms, 20s or 2m"],
    [{ hold: '999ms' }, "hold '999ms' is too short to be seen; use at least 1s"],
    [{ hold: { toString: '' } }, "hold: { toString: '' } is not a duration such as 250ms, 20s or 2m"],
    [{ hold: '20\ns' }, String.raw`hold: '20\ns' is not a duration such as 250ms, 20s or 2m`],
    [{ hodl: '20s' }, 'scenario: Unrecognized key: "hodl"'],
    [{ traffic: { rate: 25 } }, 'traffic.rate: Invalid input: expected string, received number'],
    [{ traffic: { rate: '25' } }, "traffic.rate: must be requests per second, such as '25/s'"],
    [{ traffic: { users: 0 } }, 'traffic.users: Too small: expected number to be >=1'],
    [{ traffic: { arrivals: 'bursty' } }, "traffic.arrivals: must be 'poisson', 'constant' or { rampTo: '50/s' }"],
    [{ traffic: { journeys: { buy: -1 } } }, 'traffic.journeys.buy: Too small: expected number to be >0'],
    [{ steadyState: { answered: 95 } }, 'steadyState.answered: Too big: expected number to be <=1'],
    [{ fault: 'podKill' }, 'fault: Invalid input: expected object, received string'],
    [
      { fault: podKill('shop', { pods: 'three' as never }) },
      "fault.pods: must be a whole number of pods, a share such as '50%', or 'all'",
    ],
    [{ fault: podKill('shop', { pods: 0 }) }, 'fault.pods: Too small: expected number to be >=1'],
    [
      { fault: podKill('shop', { how: 'SIGHUP' as never }) },
      'fault.how: Invalid option: expected one of "SIGKILL"|"SIGTERM"|"SIGSTOP"',
    ],
    [{ fault: { ...latency('shop', '1s'), add: '1' } }, "fault.add: '1' is not a duration such as 250ms, 20s or 2m"],
    [{ expect: { trace: 'located' } }, 'expect: Unrecognized key: "trace"'],
    [
      { expect: { traces: 'seen' } },
      'expect.traces: Invalid option: expected one of "blind"|"silent"|"noticed"|"located"|"explained"',
    ],
    [
      { expect: { also: [promql('up')] } },
      'expect.also.0.kind: build expectations with promql().atLeast(), logql(), alert(), trace() or flow()',
    ],
    [
      { expect: { also: [promql('up', '20' as never).atLeast(1)] } },
      "expect.also.0.within: '20' is not a duration such as 250ms, 20s or 2m",
    ],
    [{ expect: { also: [promql('up').atLeast('1' as never)] } }, /expect\.also\.0\.bound/],
    [
      { expect: { also: [alert({ severity: 1 as never })] } },
      'expect.also.0.labels.severity: Invalid input: expected string, received number',
    ],
    [
      { expect: { also: [trace('shop', { slowerThan: 'long' as never })] } },
      "expect.also.0.having.slowerThan: 'long' is not a duration such as 250ms, 20s or 2m",
    ],
    [
      { expect: { also: [flow({ verdict: 'LOST' as never })] } },
      'expect.also.0.verdict: Invalid option: expected one of "FORWARDED"|"DROPPED"',
    ],
    [{ abortIf: 'errors > 5' }, "abortIf: build it with promql('…').atLeast(…) or logql('…').atLeast(…)"],
  ])('%j', (input, message) => {
    const told = complaint(input);
    if (typeof message === 'string') expect(told).toBe(`scenario 'a drill': ${message}`);
    else expect(told).toMatch(message);
    expect(told).not.toContain('\n');
  });

  test('every field at fault is named at once', () => {
    expect(complaint({ hold: 1, recovery: 2 })).toMatch(/hold: .*; recovery: /);
  });

  test('whatever is passed for it, it is a scenario or refused as Usage', () => {
    fc.assert(
      fc.property(
        fc.anything({ withNullPrototype: true, withDate: true, withMap: true, withBigInt: true }),
        fc.constantFrom('name', 'hold', 'fault', 'expect', 'traffic', 'abortIf', 'steadyState'),
        (value, field) => {
          expect(complaint({ [field]: value })).not.toContain('\n');
        },
      ),
    );
  });
});

test('every expectation says in words what it asks for', () => {
  expect(
    [
      promql('up').atLeast(1),
      logql('errors', '5s').atMost(0),
      alert({ a: 'b' }),
      trace('shop', { error: true }),
      flow({ to: 'shop', verdict: 'DROPPED' }),
    ].map(inWords),
  ).toEqual([
    'promql up >= 1 within 30s',
    'logql errors <= 0 within 5s',
    'an alert with {"a":"b"} fires within 30s',
    'a span of shop with {"error":true} within 30s',
    'a DROPPED flow anywhere -> shop within 30s',
  ]);
});

test('a grade is at least every one that is not above it', () => {
  for (const [n, grade] of GRADES.entries())
    expect(GRADES.filter((wanted) => gradeAtLeast(grade, wanted))).toEqual(GRADES.slice(0, n + 1));
});

test('a rate is a number a second', () => {
  expect([perSecond('25/s'), perSecond('0.5/s')]).toEqual([25, 0.5]);
});
