import { describe, expect, test } from '@jest/globals';
import { StillBroken, Unreachable } from '../src/errors.ts';
import type { FaultSpec } from '../src/faults/fault.ts';
import { networkPolicy } from '../src/faults/network-policy.ts';
import { podKill } from '../src/faults/pod-kill.ts';
import type { HistoryEvent } from '../src/history.ts';
import { type RunSettings, run } from '../src/run.ts';
import type { LedgerRecord } from '../src/traffic/ledger.ts';
import { type Answers, type Fake, fakeTarget, jumpingClock } from './helpers/fake-target.ts';
import { facts, ledgerOf, planOf, START } from './helpers/tiny.ts';

const cut = networkPolicy('web->shop');

type Setup = Answers & {
  readonly fault?: FaultSpec;
  readonly unsteady?: () => string | null;
  readonly guard?: () => Promise<string | null>;
  /** Called with each event before it is written; throws as a full disk would. */
  readonly disk?: (event: HistoryEvent) => void;
};

/** Runs a drill with a target that is no platform; the target's calls and the history are one list, in their order. */
const drill = ({ fault = cut, unsteady = () => null, guard, disk, ...answers }: Setup) => {
  const plan = planOf(fault);
  const fake = fakeTarget(answers);
  const events: HistoryEvent[] = [];
  const stopping = new AbortController();
  const records: LedgerRecord[] = [];
  const clock = jumpingClock(START);
  const settings: RunSettings = {
    plan,
    target: fake.target,
    facts,
    traffic: fake.traffic,
    history: {
      append: async (event) => {
        disk?.(event);
        events.push(event);
        fake.calls.push(inShort(event));
      },
      [Symbol.asyncDispose]: async () => undefined,
    },
    onRecord: (record) => records.push(record),
    signal: stopping.signal,
    startAt: START,
    unsteady,
    ...(guard ? { guard } : {}),
    clock,
  };
  return { fake, events, stopping, records, clock, settings, plan };
};

const inShort = (event: HistoryEvent): string => {
  if (event.type === 'phase') return `# ${event.name}`;
  if (event.type === 'witness') return `# witness of ${event.of}: ${event.holds}`;
  return event.type === 'intent' ? `# intent ${event.act}` : `# ${event.type}`;
};

/** Probes that fail while the block stands. */
const blockable =
  (fake: () => Fake): Answers['probe'] =>
  () => {
    const calls = fake().calls;
    const blocked = calls.findLastIndex((call) => call.startsWith('block')) > calls.lastIndexOf('undo block');
    return blocked ? { outcome: 'timeout', ms: 2000 } : { outcome: 'answered', ms: 2 };
  };

const blocking = (more: Setup = {}) => {
  const one = drill({ probe: (...knock) => blockable(() => one.fake)!(...knock), ...more });
  return one;
};

test('a drill goes through its phases, breaks, witnesses, heals and witnesses again, in this order', async () => {
  const { settings, fake, clock, plan } = blocking();
  expect(await run(settings)).toBe(true);
  expect(fake.calls).toEqual([
    '# warm-up',
    '# baseline',
    '# quiet',
    '# hold',
    '# injecting',
    '# intent block',
    'block {"from":"web","to":"shop"} drop',
    '# injected',
    'probe web shop',
    '# witness of injection: true',
    '# healing',
    '# intent undo block',
    'undo block',
    '# healed',
    'probe web shop',
    '# witness of healing: true',
    '# recovery',
    '# ended',
  ]);
  expect(Number(clock.at - START) / 1e6).toBeGreaterThanOrEqual(
    plan.phases.find(({ name }) => name === 'recovery')!.until,
  );
});

test("every record of the traffic is handed on, and the run waits for the traffic's end", async () => {
  const ledger = ledgerOf(planOf(cut));
  const { settings, records } = blocking({
    traffic: async function* () {
      yield* ledger;
    },
  });
  await run(settings);
  expect(records).toEqual(ledger);
});

describe('the intent is on disk before the act', () => {
  test.each([
    ['networkPolicy', cut, 'block {"from":"web","to":"shop"} drop'],
    ['podKill', podKill('stock'), 'signal uid-stock-a SIGKILL'],
  ] as const)('of %s', async (_, fault, act) => {
    const { settings, fake, stopping } = drill({
      fault,
      act: (words) => words.startsWith('probe') || stopping.abort(),
    });
    await run(settings).catch(() => undefined);
    expect(fake.calls[fake.calls.indexOf(act) - 1]).toMatch(/^# intent/);
  });

  test('and an intent that can’t be written stops the act', async () => {
    const { settings, fake } = drill({
      disk: (event) => {
        if (event.type === 'intent') throw new Error('ENOSPC: no space left on device');
      },
    });
    expect(await run(settings)).toBe(false);
    expect(fake.calls.filter((call) => call.startsWith('block'))).toEqual([]);
    expect(fake.calls).toContain('# not-injected');
  });
});

describe('nothing is broken', () => {
  test('on purpose while the platform is unsteady', async () => {
    const { settings, fake, events } = drill({ unsteady: () => 'no steady state: p99 latency 9000 ms' });
    expect(await run(settings)).toBe(false);
    expect(fake.calls).toEqual(['# warm-up', '# baseline', '# quiet', '# not-injected', '# ended']);
    expect(events).toContainEqual({ type: 'not-injected', why: 'no steady state: p99 latency 9000 ms' });
  });

  test('when the target refuses, and the history says why', async () => {
    const { settings, events, fake } = drill({
      act: (words) => {
        if (words.startsWith('block')) throw new Error('nft: no such chain');
      },
    });
    expect(await run(settings)).toBe(false);
    expect(events).toContainEqual({ type: 'not-injected', why: 'nft: no such chain' });
    expect(fake.calls).not.toContain('# healing');
  });
});

test('an injection that nothing witnesses is written down as such, and healed', async () => {
  const { settings, fake, events } = drill({ probe: () => ({ outcome: 'answered', ms: 2 }) });
  expect(await run(settings)).toBe(true);
  expect(events).toContainEqual({
    type: 'witness',
    of: 'injection',
    says: 'probe from web to shop: answered',
    holds: false,
  });
  expect(fake.calls).toContain('undo block');
});

test('a probe that fails is no witness, and its reason is kept', async () => {
  const { settings, events } = drill({
    act: (words) => {
      if (words.startsWith('probe')) throw new Error('no such namespace');
    },
  });
  await run(settings);
  const witness = events.find((event) => event.type === 'witness');
  expect(witness).toMatchObject({ of: 'injection', holds: false, says: expect.stringContaining('no such namespace') });
});

describe('Ctrl-C', () => {
  test('while the fault is in heals first, then ends', async () => {
    const { settings, fake, stopping, events } = blocking({
      disk: (event) => {
        if (event.type === 'witness' && event.of === 'injection') stopping.abort(new Error('stopped by SIGINT'));
      },
    });
    expect(await run(settings)).toBe(false);
    expect(fake.calls.slice(fake.calls.indexOf('# healing'))).toEqual([
      '# healing',
      '# intent undo block',
      'undo block',
      '# healed',
      'probe web shop',
      '# witness of healing: true',
      '# aborted',
      '# ended',
    ]);
    expect(events).toContainEqual({ type: 'aborted', why: 'stopped by SIGINT' });
  });

  test('while the act is being done heals what it did', async () => {
    const { settings, fake, stopping } = blocking({
      act: (words) => words.startsWith('block') && stopping.abort(new Error('stopped')),
    });
    expect(await run(settings)).toBe(false);
    expect(fake.calls).toContain('undo block');
    expect(fake.calls.at(-1)).toBe('# ended');
  });

  test('before the fault breaks nothing', async () => {
    const { settings, fake, stopping } = drill({
      disk: (event) => {
        if (event.type === 'phase' && event.name === 'quiet') stopping.abort(new Error('stopped'));
      },
    });
    expect(await run(settings)).toBe(false);
    expect(fake.calls.filter((call) => !call.startsWith('#'))).toEqual([]);
  });

  test('ends the traffic, and one that comes while the last requests are out still counts as an early end', async () => {
    const { settings, events, stopping } = blocking({
      traffic: async function* (signal) {
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      },
      disk: (event) => {
        if (event.type === 'phase' && event.name === 'recovery')
          setTimeout(() => stopping.abort(new Error('stopped')), 30);
      },
    });
    expect(await run(settings)).toBe(false);
    expect(events.slice(-2)).toEqual([{ type: 'aborted', why: 'stopped' }, { type: 'ended' }]);
  });
});

describe('healing', () => {
  const stubborn = (times: number): NonNullable<Setup['act']> => {
    let tried = 0;
    return (words) => {
      if (words === 'undo block' && ++tried <= times) throw new Error('nft: device or resource busy');
    };
  };

  test('is tried again until it works, though the run was aborted', async () => {
    const { settings, fake, stopping } = blocking({
      act: stubborn(30),
      disk: (event) => {
        if (event.type === 'injected') stopping.abort(new Error('stopped by SIGTERM'));
      },
    });
    expect(await run(settings)).toBe(false);
    expect(fake.calls.filter((call) => call === 'undo block')).toHaveLength(31);
    expect(fake.calls).toContain('# healed');
  });

  test('that never works is StillBroken at its own deadline, and says what is left and why', async () => {
    const { settings, clock, events } = blocking({ act: stubborn(Number.POSITIVE_INFINITY) });
    const failure = await run(settings).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StillBroken);
    expect(failure).toMatchObject({
      left: ['edge:web->shop'],
      message: expect.stringContaining('device or resource busy'),
    });
    expect(Number(clock.at - START) / 1e6).toBeGreaterThanOrEqual(90_000);
    expect(events.at(-2)).toMatchObject({ type: 'still-broken' });
    expect(events.at(-1)).toEqual({ type: 'ended' });
  });

  test('that hangs is StillBroken too, and not waited for without end', async () => {
    const { settings, fake } = blocking();
    const hanging = {
      ...fake.target,
      block: async () => ({ id: 'block', undo: () => new Promise<void>(() => undefined) }),
    };
    await expect(run({ ...settings, target: hanging })).rejects.toThrow(
      /could not heal edge:web->shop: .*not within 180 s/,
    );
  });

  test('is not held back by a disk that is full', async () => {
    let full = false;
    const { settings, fake } = blocking({
      disk: (event) => {
        full ||= event.type === 'injected';
        if (full) throw new Error('ENOSPC: no space left on device');
      },
    });
    await expect(run(settings)).rejects.toThrow('ENOSPC');
    expect(fake.calls).toContain('undo block');
  });

  test('that is done and not seen is written down as not seen', async () => {
    const { settings, events } = drill({ probe: () => ({ outcome: 'timeout', ms: 2000 }) });
    expect(await run(settings)).toBe(true);
    expect(events).toContainEqual({
      type: 'witness',
      of: 'healing',
      says: 'probe from web to shop: timeout in 2000 ms',
      holds: false,
    });
  });
});

describe('the abort condition', () => {
  test('ends the hold early, heals, and lets the recovery begin in its time', async () => {
    let asked = 0;
    const { settings, fake, events } = blocking({ guard: async () => (++asked === 2 ? 'sum(errors) is 12' : null) });
    expect(await run(settings)).toBe(true);
    expect(events).toContainEqual({ type: 'cut-short', why: 'sum(errors) is 12' });
    expect(asked).toBe(2);
    expect(fake.calls.indexOf('# cut-short')).toBeLessThan(fake.calls.indexOf('undo block'));
  });

  test('that never comes true leaves the hold its whole length', async () => {
    let asked = 0;
    const { settings, events } = blocking({
      guard: async () => {
        asked += 1;
        return null;
      },
    });
    await run(settings);
    expect(asked).toBe(3);
    expect(events.map(({ type }) => type)).not.toContain('cut-short');
  });
});

test('a client that is lost ends the run early, after the fault was healed, and the history says why', async () => {
  const { settings, fake, events } = blocking({
    // biome-ignore lint/correctness/useYield: it is lost before its first record.
    traffic: async function* () {
      throw new Unreachable('worker 1: 12 of its 40 requests have no record');
    },
  });
  expect(await run(settings)).toBe(false);
  expect(fake.calls).toContain('undo block');
  expect(events).toContainEqual({ type: 'aborted', why: 'worker 1: 12 of its 40 requests have no record' });
});

test('a client that breaks by our own fault is no verdict on anybody', async () => {
  const { settings, fake } = blocking({
    // biome-ignore lint/correctness/useYield: it dies before its first record.
    traffic: async function* () {
      throw new Error('the traffic client ended with SIGSEGV');
    },
  });
  await expect(run(settings)).rejects.toThrow('SIGSEGV');
  expect(fake.calls).toContain('undo block');
  expect(fake.calls.at(-1)).toBe('# ended');
});
