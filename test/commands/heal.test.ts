import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type HistoryEvent, openHistory, readHistory } from '../../src/history.ts';
import { start } from '../../src/process.ts';
import { FILES } from '../../src/stored.ts';
import { firedrill } from '../helpers/cli.ts';

let folder: string;
let run: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heal-'));
  run = join(folder, 'reports/a-drill/2026-11-21T07-19-58Z');
  await mkdir(run, { recursive: true });
  await mkdir(join(folder, 'tmp'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const heal = () => firedrill(['heal'], { cwd: folder, env: { TMPDIR: join(folder, 'tmp') } });

const history = async (...events: HistoryEvent[]): Promise<string> => {
  const file = join(run, FILES.history);
  await using open = await openHistory(file);
  for (const event of events) await open.append(event);
  return file;
};

/** The id of a process that has ended. */
const ended = async (): Promise<number> => {
  const child = await start({ name: 'child', argv: [process.execPath, '-e', ''] });
  await child.ended;
  return child.child.pid!;
};

const INTENT = { type: 'intent', act: 'SIGSTOP', on: 'pod:shop-a' } as const;

describe('a run that was killed', () => {
  test('while its fault was in is closed as ended early, once, however often heal is called', async () => {
    const file = await history({ type: 'begun', pid: await ended() }, { type: 'phase', name: 'hold' }, INTENT, {
      type: 'injected',
    });
    const first = await heal();
    expect(first).toMatchObject({ code: 0, err: '' });
    expect(first.out).toBe(
      'reports/a-drill/2026-11-21T07-19-58Z: the run was killed while its fault was in; its lab, and the fault with it, died with it\n',
    );
    expect((await readHistory(file)).slice(-2).map(({ type }) => type)).toEqual(['aborted', 'ended']);
    const before = await readFile(file, 'utf8');
    expect(await heal()).toEqual({ code: 0, out: 'nothing to heal\n', err: '' });
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  test('before it broke anything is told apart', async () => {
    await history({ type: 'begun', pid: await ended() }, { type: 'phase', name: 'warm-up' });
    expect((await heal()).out).toContain('the run was killed before it broke anything');
  });

  test('in the middle of a line is closed all the same', async () => {
    const file = await history({ type: 'begun', pid: await ended() }, INTENT);
    await writeFile(file, `${await readFile(file, 'utf8')}{"at":"2026-11-21T0`);
    expect((await heal()).out).toContain('the run was killed while its fault was in');
    expect((await readHistory(file)).map(({ type }) => type)).toEqual(['begun', 'intent', 'aborted', 'ended']);
  });
});

test('a run whose process still lives is left alone: healing is its own business', async () => {
  const file = await history({ type: 'begun', pid: process.pid }, INTENT, { type: 'injected' });
  const before = await readFile(file, 'utf8');
  const { code, out } = await heal();
  expect({ code, out }).toEqual({
    code: 0,
    out: `reports/a-drill/2026-11-21T07-19-58Z: process ${process.pid} is still at it; Ctrl-C there heals first\n`,
  });
  expect(await readFile(file, 'utf8')).toBe(before);
});

test('a run that came to its end is left alone', async () => {
  const file = await history(INTENT, { type: 'healed' }, { type: 'ended' });
  const before = await readFile(file, 'utf8');
  expect((await heal()).out).toBe('nothing to heal\n');
  expect(await readFile(file, 'utf8')).toBe(before);
});

test('sockets of a lab whose process is gone are removed, those of a living one and of anybody else are not', async () => {
  const gone = await ended();
  const names = [`firedrill-${gone}-aB3x9Z`, `firedrill-${process.pid}-aB3x9Z`, 'firedrill-notes', 'other'];
  for (const name of names) await mkdir(join(folder, 'tmp', name));
  expect((await heal()).out).toBe(`removed ${join(folder, 'tmp', names[0]!)}, left by process ${gone}\n`);
  expect((await readdir(join(folder, 'tmp'))).filter((name) => names.includes(name)).sort()).toEqual(
    names.slice(1).sort(),
  );
});

test('without a folder of reports there is nothing to heal', async () => {
  await rm(join(folder, 'reports'), { recursive: true });
  expect(await heal()).toEqual({ code: 0, out: 'nothing to heal\n', err: '' });
});
