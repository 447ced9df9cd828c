import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { FILES } from '../../src/stored.ts';
import { drilled, outcomeOf, underWay } from './attempts.ts';
import { firedrill, folder, machine, NOBODYS_CACHE, noLab, ROOT, runsIn } from './tool.ts';

const MINUTES = 60_000;
const SEEDS = [11, 12];
const why = await noLab('me');
const drill = why ? test.skip : test;
const because = why ? ` # ${why}` : '';
const scenarios = (await readdir(join(ROOT, 'scenarios'))).filter((name) => name !== 'control.ts').sort();

afterAll(() => rm(NOBODYS_CACHE, { recursive: true, force: true }));

drill.each(scenarios)(
  `%s: every layer that can see the fault blames the right place${because}`,
  async (name) => {
    await using out = await folder();
    const before = await machine();
    const between = async (): Promise<void> => expect(await machine()).toEqual(before);
    const one = await drilled([join(ROOT, 'scenarios', name), '--seed', '3'], out.path, { between });
    expect(outcomeOf(one)).toEqual({ ...outcomeOf(one), code: 0 });
    expect(one.verdict?.outcome).toBe('pass');
    await between();
  },
  14 * MINUTES,
);

drill.each(SEEDS)(
  `with nothing broken, no layer raises an alarm (seed %i)${because}`,
  async (seed) => {
    await using out = await folder();
    const one = await drilled(['control', '--seed', String(seed)], out.path);
    expect(outcomeOf(one)).toEqual({ ...outcomeOf(one), code: 0 });
  },
  14 * MINUTES,
);

drill(
  `a stored run is judged again, byte for byte, and its files are all there${because}`,
  async () => {
    await using out = await folder();
    await firedrill(['run', 'killed-order-service', '--out', out.path, '--seed', '4']);
    const [run] = await runsIn(out.path);
    const first = await readFile(join(run!, FILES.verdict), 'utf8');
    expect((await firedrill(['judge', run!])).code).toBe(JSON.parse(first).exitCode);
    expect(await readFile(join(run!, FILES.verdict), 'utf8')).toBe(first);
    // An audit is of a cluster's API server.
    const { audit: _, ...files } = FILES;
    for (const name of Object.values(files)) expect((await readFile(join(run!, name))).length).toBeGreaterThan(0);
    expect(await readFile(join(run!, FILES.html), 'utf8')).not.toMatch(/(?:src|href)="https?:/);
  },
  3 * MINUTES,
);

const whyNobody = await noLab('nobody');
(whyNobody ? test.skip : test)(
  `an unprivileged user without a home runs the same drill${whyNobody ? ` # ${whyNobody}` : ''}`,
  async () => {
    await using out = await folder();
    const before = await machine();
    const env = { HOME: '/nonexistent', FIREDRILL_CACHE: NOBODYS_CACHE };
    const one = await drilled(['killed-order-service'], out.path, { who: 'nobody', env });
    expect(outcomeOf(one)).toEqual({ ...outcomeOf(one), code: 0 });
    expect(await machine()).toEqual(before);
  },
  14 * MINUTES,
);

drill(
  `kill -9 of the tool in mid-fault leaves nothing behind, and heal closes the run${because}`,
  async () => {
    await using out = await folder();
    const before = await machine();
    const { tool, out: own } = await underWay(['blocked-edge'], out.path, /witnessed: probe/);
    tool.kill('SIGKILL');
    await tool.ended;
    await settled(before);
    const healed = await firedrill(['heal', '--out', own]);
    expect(healed.out).toContain('the run was killed while its fault was in');
    expect((await firedrill(['heal', '--out', own])).out).toBe('nothing to heal\n');
    const judged = await firedrill(['judge', (await runsIn(own))[0]!]);
    expect(judged.code).toBe(2);
  },
  10 * MINUTES,
);

drill.each([
  ['while the lab comes up', /bringing the lab up/],
  ['in the baseline', /baseline/],
  ['in mid-fault', /witnessed: probe/],
])(
  `Ctrl-C %s heals, ends with nothing left, and is not a pass${because}`,
  async (_when, pattern) => {
    await using out = await folder();
    const before = await machine();
    const { tool } = await underWay(['blocked-edge'], out.path, pattern);
    tool.kill('SIGINT');
    const ran = await tool.ended;
    expect({ code: ran.code, err: ran.err }).toEqual({ code: 2, err: ran.err });
    await settled(before);
  },
  10 * MINUTES,
);

/** The kernel takes a moment to end a namespace and all that was in it. */
const settled = async (before: Awaited<ReturnType<typeof machine>>): Promise<void> => {
  const { until } = await import('../../src/poll.ts');
  const same = async (): Promise<true | null> =>
    JSON.stringify(await machine()) === JSON.stringify(before) ? true : null;
  await until('the machine as it was before', same, { forMs: 10_000, everyMs: 200 }).catch(() => undefined);
  expect(await machine()).toEqual(before);
};
