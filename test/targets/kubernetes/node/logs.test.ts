import { appendFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { until } from '../../../../src/poll.ts';
import { createJoiner, parseCri } from '../../../../src/targets/kubernetes/node/cri.ts';
import { type Container, followLogs } from '../../../../src/targets/kubernetes/node/logs.ts';
import { iso } from '../../../../src/time.ts';

describe('a line of a container’s log', () => {
  test('whatever it holds is read back as it was written', () => {
    const text = fc.string({ unit: 'binary' }).map((one) => one.replaceAll('\n', ' '));
    const times = fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n });
    fc.assert(
      fc.property(
        times,
        fc.constantFrom('stdout', 'stderr'),
        fc.constantFrom('F', 'P'),
        text,
        (at, stream, tag, words) => {
          expect(parseCri(`${iso(at)} ${stream} ${tag} ${words}`)).toEqual({
            at,
            stream,
            partial: tag === 'P',
            text: words,
          });
        },
      ),
    );
  });

  test('that is anything else is none, and never an error', () => {
    fc.assert(fc.property(fc.string(), (text) => expect(parseCri(text)).toBeNull()));
    for (const line of [
      '{"log":"x","stream":"stdout"}',
      '2026-13-45T99:00:00Z stdout F x',
      '2026-01-01T00:00:00Z stdin F x',
    ])
      expect(parseCri(line)).toBeNull();
  });

  test('may have no text, further tags, and a time with another zone', () => {
    expect(parseCri('2026-01-01T00:00:00Z stdout F')).toMatchObject({ text: '' });
    expect(parseCri('2026-01-01T00:00:00Z stdout F ')).toMatchObject({ text: '' });
    expect(parseCri('2026-01-01T00:00:00Z stdout P:x:y a')).toMatchObject({ partial: true, text: 'a' });
    expect(parseCri('2026-01-01T01:00:00.5+01:00 stderr F a')!.at).toBe(1_767_225_600_500_000_000n);
  });

  test('in parts is one line with the time of the first, however the two streams are interleaved', () => {
    const parts = fc.array(fc.record({ stream: fc.constantFrom('stdout', 'stderr'), partial: fc.boolean() }), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(parts, (all) => {
        const got: string[] = [];
        const joiner = createJoiner(({ at, text }) => got.push(`${at}:${text}`));
        const open: Record<string, { at: number; text: string }> = {};
        const expected: string[] = [];
        all.forEach(({ stream, partial }, i) => {
          joiner.add({ stream, partial, at: BigInt(i), text: `[${i}]` });
          const line = { at: open[stream]?.at ?? i, text: `${open[stream]?.text ?? ''}[${i}]` };
          delete open[stream];
          if (partial) open[stream] = line;
          else expected.push(`${line.at}:${line.text}`);
        });
        expect(got).toEqual(expected);
      }),
    );
  });

  test('that never ends is passed on in pieces, none lost', () => {
    let got = '';
    const joiner = createJoiner(({ text }) => {
      got += text;
    });
    for (let i = 0; i < 64; i++) joiner.add({ stream: 'stdout', partial: true, at: 0n, text: 'x'.repeat(16 * 1024) });
    expect(got).toHaveLength(1024 * 1024);
  });
});

const line = (text: string): string => `2026-01-01T00:00:00.000000001Z stdout F ${text}\n`;

/** A folder of logs that is followed; `read` waits until so many lines were told. */
const following = async (before: Record<string, string> = {}, known: (from: Container) => boolean = () => true) => {
  const folder = await mkdtemp(join(tmpdir(), 'firedrill-logs-'));
  const put = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  for (const [path, text] of Object.entries({ 'shop_seed_u0/main/0.log': '', ...before })) await put(path, text);
  let begun = false;
  const got: string[] = [];
  const trouble: string[] = [];
  const stop = new AbortController();
  const following = followLogs({
    folder,
    namespaces: ['shop'],
    known: (from) => {
      begun = true;
      return known(from);
    },
    onLine: ({ pod, container }, _, text) => got.push(`${pod}/${container}: ${text}`),
    onTrouble: (why) => trouble.push(why),
    signal: stop.signal,
    everyMs: 5,
  });
  await until('the first turn', () => (begun ? true : null), { forMs: 5000, everyMs: 5 });
  return {
    folder,
    put,
    append: (path: string, text: string) => appendFile(join(folder, path), text),
    got,
    trouble,
    read: (n: number) => until('lines', () => (got.length >= n ? true : null), { forMs: 5000, everyMs: 5 }),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await following;
      await rm(folder, { recursive: true });
    },
  };
};

const WEB = 'shop_web-1_u1/main/0.log';

describe('following a node’s logs', () => {
  test('begins at the end of what is there and at the beginning of what comes', async () => {
    await using logs = await following({ [WEB]: line('old') });
    await logs.put('shop_web-2_u2/main/0.log', line('first'));
    await logs.read(1);
    await logs.append(WEB, line('new'));
    await logs.read(2);
    expect(logs.got).toEqual(['web-2/main: first', 'web-1/main: new']);
  });

  test('loses and doubles nothing when a file is renamed, written to once more, and a new one begun', async () => {
    await using logs = await following();
    await logs.put(WEB, line('1'));
    await logs.read(1);
    await rename(join(logs.folder, WEB), join(logs.folder, `${WEB}.20260101-000000`));
    await logs.append(`${WEB}.20260101-000000`, line('2'));
    await logs.read(2);
    await logs.put(WEB, line('3'));
    await logs.read(3);
    expect(logs.got).toEqual(['1', '2', '3'].map((n) => `web-1/main: ${n}`));
  });

  test('finishes the file of a container that is started again, and reads the next', async () => {
    await using logs = await following();
    await logs.put(WEB, line('dying'));
    await logs.put('shop_web-1_u1/main/1.log', line('reborn'));
    await logs.read(2);
    expect([...logs.got].sort()).toEqual(['web-1/main: dying', 'web-1/main: reborn']);
  });

  test('reads what a pod wrote last, though its folder is gone', async () => {
    await using logs = await following();
    await logs.put(WEB, line('1'));
    await logs.read(1);
    await logs.append(WEB, line('last words'));
    await rm(join(logs.folder, 'shop_web-1_u1'), { recursive: true });
    await logs.read(2);
    expect(logs.got.at(-1)).toBe('web-1/main: last words');
  });

  test('waits with a line until all of it is written', async () => {
    await using logs = await following();
    await logs.put(WEB, line('whole').slice(0, 40));
    await logs.put('shop_web-2_u2/main/0.log', line('meanwhile'));
    await logs.read(1);
    await logs.append(WEB, line('whole').slice(40));
    await logs.read(2);
    expect(logs.got).toEqual(['web-2/main: meanwhile', 'web-1/main: whole']);
  });

  test('leaves a pod’s lines in their file until it is known whose they are', async () => {
    let known = false;
    await using logs = await following({}, ({ pod }) => pod === 'web-2' || known);
    await logs.put(WEB, line('early'));
    await logs.put('shop_web-2_u2/main/0.log', line('known'));
    await logs.read(1);
    known = true;
    await logs.read(2);
    expect(logs.got).toEqual(['web-2/main: known', 'web-1/main: early']);
  });

  test('looks at no other namespace, and says what is no log line', async () => {
    await using logs = await following();
    await logs.put('bank_web-1_u1/main/0.log', line('secret'));
    await logs.put(WEB, `nonsense\n${line('fine')}`);
    await logs.read(1);
    expect(logs.got).toEqual(['web-1/main: fine']);
    expect(logs.trouble).toEqual([expect.stringContaining('not a line of a container\'s log: "nonsense"')]);
  });

  test('of a node that has none yet is no error', async () => {
    await using logs = await following();
    await rm(logs.folder, { recursive: true });
    await logs.put(WEB, line('1'));
    await logs.read(1);
    expect(logs.trouble).toEqual([]);
  });
});
