import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { until } from '../../src/poll.ts';
import { FILES } from '../../src/stored.ts';
import type { LedgerRecord } from '../../src/traffic/ledger.ts';
import type { Verdict } from '../../src/verdict.ts';
import { drilled, outcomeOf, underWay, verdictOf } from '../live/attempts.ts';
import { firedrill, folder, launch, ROOT, runsIn } from '../live/tool.ts';
import { AT, answers, EVERYBODY_ANSWERS, left, NAMESPACE, noCluster, ours } from './cluster.ts';

const MINUTES = 60_000;
const why = await noCluster();
const unenforced = process.env.FIREDRILL_UNENFORCED === '1';
const because = why ? ` # ${why}` : '';
const drill = why || unenforced ? test.skip : test;
const short = (name: string): string => join(ROOT, 'test/cluster/scenarios', `short-${name}.ts`);

const read = (run: string, file: string): Promise<string> => readFile(join(run, file), 'utf8');
const verdictIn = async (out: string): Promise<Verdict> => verdictOf((await runsIn(out))[0]!);

/** The cluster is as it was: nothing of ours is in it, and everybody answers, tagged or not. */
const asBefore = async (): Promise<void> => {
  expect(await left()).toEqual([]);
  const settled = async (tag: string | null): Promise<true | null> =>
    JSON.stringify(await answers(tag)) === JSON.stringify(EVERYBODY_ANSWERS) ? true : null;
  for (const tag of [null, 'abcdef']) {
    await until('everybody answers', () => settled(tag), { forMs: 20_000, everyMs: 500 }).catch(() => undefined);
    expect(await answers(tag)).toEqual(EVERYBODY_ANSWERS);
  }
};

/** Traffic is sent from inside: a port-forward of every request would share such a machine with what is measured. */
const INSIDE = ['--workers', '1'];

drill.each(['control', 'killed-order-service', 'slow-edge-for-tagged-requests', 'blocked-edge', 'slow-market-data'])(
  `%s: passes in the cluster as in the lab, and touches only what was allowed${because}`,
  async (name) => {
    await using out = await folder();
    const one = await drilled([name, ...AT, ...INSIDE, '--seed', '3'], out.path, { between: asBefore });
    expect(outcomeOf(one)).toEqual({ ...outcomeOf(one), code: 0 });
    const touched = (await read(one.run, FILES.audit)).trim().split('\n');
    const changes = touched.map((line) => JSON.parse(line)).filter(({ verb }) => verb !== 'portforward');
    expect(new Set(changes.map(({ namespace }) => namespace))).toEqual(new Set([NAMESPACE]));
    await asBefore();
  },
  14 * MINUTES,
);

drill.each([
  ['a cut edge', short('block')],
  ['a delay', short('delay')],
])(
  `kill -9 of the tool in mid-fault: heal, from anywhere, undoes %s${because}`,
  async (_what, scenario) => {
    await using out = await folder();
    const { tool } = await underWay([scenario, ...AT, '--no-capture'], out.path, /witnessed: probe/);
    tool.kill('SIGKILL');
    await tool.ended;
    expect(await ours()).not.toEqual([]);
    const second = await firedrill(['run', scenario, ...AT, '--out', out.path, '--no-capture']);
    expect({ code: second.code, err: second.err }).toMatchObject({
      code: 2,
      err: expect.stringMatching(/run [0-9a-f]{12}/),
    });
    const healed = await firedrill(['heal', '--target', 'kubernetes', '--allow', NAMESPACE, '--force']);
    expect({ code: healed.code, told: healed.out + healed.err }).toMatchObject({
      code: 0,
      told: expect.stringContaining('undone'),
    });
    expect((await firedrill(['heal', '--target', 'kubernetes', '--allow', NAMESPACE])).out).toBe('nothing to heal\n');
    await asBefore();
  },
  10 * MINUTES,
);

drill(
  `two runs at once on one namespace: the second is refused with the first one’s name${because}`,
  async () => {
    await using out = await folder();
    const first = await launch(['run', short('control'), ...AT, '--out', out.path, '--no-capture']);
    await first.seen(/baseline/);
    const second = await firedrill(['run', short('control'), ...AT, '--out', out.path, '--no-capture']);
    expect(second.code).toBe(2);
    expect(second.err).toMatch(/namespace trading is being drilled by run [0-9a-f]{12} \(.*a short control/);
    await first.ended;
    await asBefore();
  },
  10 * MINUTES,
);

drill.each([
  [
    'a namespace that is not allowed',
    ['--target', 'kubernetes'],
    64,
    /namespace trading may not be touched .*--allow trading/,
  ],
  ['a kubeconfig that is not there', [...AT, '--kubeconfig', '/nowhere/config'], 64, /\/nowhere\/config/],
  ['a context that is not in it', [...AT, '--context', 'nope'], 64, /nope/],
])(
  `%s is told in one line, before anything is touched${because}`,
  async (_what, args, code, line) => {
    await using out = await folder();
    const ran = await firedrill(['run', short('control'), ...args, '--out', out.path]);
    expect({ code: ran.code, err: ran.err }).toMatchObject({ code, err: expect.stringMatching(line) });
    expect(ran.err).not.toMatch(/^ {4}at /m);
    expect(await ours()).toEqual([]);
  },
  MINUTES,
);

drill(
  `three workers give one ledger, whole, on the seeded plan of one${because}`,
  async () => {
    const planned = async (args: readonly string[]): Promise<LedgerRecord[]> => {
      await using out = await folder();
      const all = [short('control'), ...AT, '--no-capture', ...args];
      const one = await drilled(all, out.path, { between: asBefore });
      expect(outcomeOf(one)).toEqual({ ...outcomeOf(one), code: 0 });
      const lines = (await read(one.run, FILES.ledger)).trim().split('\n');
      const records = lines.map((line) => JSON.parse(line) as LedgerRecord).sort((a, b) => a.n - b.n);
      expect(one.verdict?.traffic.sent).toBe(records.length);
      return records;
    };
    const [three, one] = [await planned(['--workers', '3']), await planned(['--workers', '1'])];
    const what = ({ n, user, request }: LedgerRecord) => [n, user, request];
    expect(three.map(what)).toEqual(one.map(what));
    const offsets = (all: readonly LedgerRecord[]): number[] => {
      const first = Date.parse(all[0]!.intended);
      return all.map(({ intended }) => Date.parse(intended) - first);
    };
    // A ledger has whole milliseconds, and a run starts between two of them.
    const due = offsets(one);
    const apart = offsets(three).map((offset, i) => Math.abs(offset - due[i]!));
    expect(Math.max(...apart)).toBeLessThanOrEqual(1);
    await asBefore();
  },
  14 * MINUTES,
);

(why || !unenforced ? test.skip : test)(
  `where NetworkPolicies are not enforced the drill is an invalid injection${why ? because : unenforced ? '' : ' # this cluster enforces them; FIREDRILL_UNENFORCED=1 says that it does not'}`,
  async () => {
    await using out = await folder();
    const ran = await firedrill(['run', short('block'), ...AT, '--out', out.path, '--no-capture']);
    const verdict = await verdictIn(out.path);
    expect({ code: ran.code, outcome: verdict.outcome }).toEqual({ code: 2, outcome: 'invalid-injection' });
    expect(verdict.because).toContain('does not enforce NetworkPolicy');
    await asBefore();
  },
  10 * MINUTES,
);
