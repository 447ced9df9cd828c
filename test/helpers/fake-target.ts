// A target without a platform: it writes down what is asked of it and answers as it is told, and a clock that jumps.
import type { Nanos } from '../../src/model.ts';
import type { Pod, Probe, Target, Traffic } from '../../src/targets/target.ts';
import type { Clock } from '../../src/time.ts';
import type { LedgerRecord } from '../../src/traffic/ledger.ts';
import { facts } from './tiny.ts';

export type Fake = {
  readonly target: Target;
  readonly traffic: Traffic;
  /** Everything that was done or asked, in order: `signal uid-shop-a SIGKILL`, `probe web shop`. */
  readonly calls: string[];
  /** The pods of this moment; a test moves them. */
  pods: readonly Pod[];
};

export type Answers = {
  /** Called before every act with its words; throws to refuse it. */
  readonly act?: (words: string) => void;
  readonly probe?: (from: string | null, to: string, tagged: string | null) => Pick<Probe, 'outcome' | 'ms'>;
  readonly traffic?: (signal: AbortSignal) => AsyncIterable<LedgerRecord>;
};

async function* noTraffic(): AsyncGenerator<LedgerRecord> {}

const ENDPOINTS = { jaeger: null, prometheus: null, alertmanager: null, loki: null, hubble: null, entry: 'http://web' };

export const fakeTarget = (answers: Answers = {}): Fake => {
  const calls: string[] = [];
  const did = (words: string): void => {
    calls.push(words);
    answers.act?.(words);
  };
  const standing = (id: string) => ({ id, undo: async () => did(`undo ${id}`) });
  const traffic: Traffic = {
    leadMs: 0,
    run: (_startAt, signal) => answers.traffic?.(signal) ?? noTraffic(),
    [Symbol.asyncDispose]: async () => undefined,
  };
  const fake: Fake = {
    calls,
    traffic,
    pods: facts.pods,
    target: {
      endpoints: ENDPOINTS,
      clientUrl: 'http://web',
      facts: async () => facts,
      pods: async () => fake.pods,
      addresses: () => new Map(),
      signal: async (uid, signal) => did(`signal ${uid} ${signal}`),
      mayKill: async () => undefined,
      delay: async ({ place, add, jitter, hit }) => {
        did(`delay ${JSON.stringify(place)} ${add} ${jitter} ${hit}`);
        return standing('delay');
      },
      block: async ({ place, how }) => {
        did(`block ${JSON.stringify(place)} ${how}`);
        return standing('block');
      },
      probe: async (from, to, tagged) => {
        did(`probe ${from ?? 'users'} ${to}${tagged ? ' tagged' : ''}`);
        return { from: from ?? 'users', to, ...(answers.probe?.(from, to, tagged) ?? { outcome: 'answered', ms: 2 }) };
      },
      traffic: async () => traffic,
      capture: async (file) => ({ file, stop: async () => ({ captured: 0, droppedByKernel: 0 }) }),
      [Symbol.asyncDispose]: async () => undefined,
    },
  };
  return fake;
};

/** Turns of the event loop that the code under test may take between two sleeps. */
const TURNS = 4;

/** A clock whose time passes only while everybody sleeps: it then jumps to the first who wakes. */
export const jumpingClock = (start: Nanos): Clock & { at: Nanos } => {
  type Sleeper = { readonly at: Nanos; readonly wake: () => void };
  const sleepers = new Set<Sleeper>();
  let going = false;
  const go = async (): Promise<void> => {
    going = true;
    while (sleepers.size > 0) {
      for (let turn = 0; turn < TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      const [first] = [...sleepers].sort((a, b) => Number(a.at - b.at));
      if (!first) break;
      sleepers.delete(first);
      if (first.at > clock.at) clock.at = first.at;
      first.wake();
    }
    going = false;
  };
  const clock = {
    at: start,
    now: () => clock.at,
    sleepUntil: async (at: Nanos, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const sleeper = { at, wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', () => sleepers.delete(sleeper) && reject(signal.reason), { once: true });
        if (!going) void go();
      });
      signal?.throwIfAborted();
    },
  };
  return clock;
};
