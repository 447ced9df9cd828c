import type { ServerResponse } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Unreachable, Usage } from '../../../src/errors.ts';
import { Refused } from '../../../src/targets/kubernetes/cluster.ts';
import { memory, splitting } from '../../../src/targets/kubernetes/follow.ts';
import { failure, json, opened, rejection } from './mock-api.ts';

const AT = { namespace: 'shop', pod: 'order-1', container: 'app' };
const at = (seconds: string, text: string): string => `2026-11-21T10:00:${seconds}Z ${text}\n`;
const never = new AbortController().signal;
const pod = (state: object, containerID = 'containerd://1'): object => ({
  status: {
    containerStatuses: [{ name: 'app', state, containerID, image: '', imageID: '', ready: true, restartCount: 0 }],
  },
});
const RUNNING = pod({ running: {} });
const ENDED = pod({ terminated: { exitCode: 0 } });

type Stretch = (response: ServerResponse) => void;

/** Follows the log of a container whose log connections go one after the other as the stretches say. */
const following = async (stretches: readonly Stretch[], states: readonly object[], patienceMs = 2000) => {
  const left = [...stretches];
  const pods = [...states];
  const asked: URL[] = [];
  await using it = await opened({
    http: ({ url }, response) => {
      if (!url.pathname.endsWith('/log')) return json(response, 200, pods.length > 1 ? pods.shift() : pods[0]);
      asked.push(url);
      const next = left.shift();
      if (next) next(response);
      else response.destroy();
    },
  });
  const lines: string[] = [];
  const error = await it.cluster
    .follow(AT, (line) => lines.push(line), never, patienceMs)
    .then(
      () => null,
      (reason: Error) => reason,
    );
  return { lines, asked, error };
};
const ends =
  (...lines: string[]): Stretch =>
  (response) =>
    void response.writeHead(200).end(lines.join(''));
const breaks =
  (...lines: string[]): Stretch =>
  (response) => {
    response.writeHead(200).write(lines.join(''));
    setImmediate(() => response.destroy());
  };
const refuses =
  (status: number, message: string): Stretch =>
  (response) =>
    void response.writeHead(status).end(failure(status, message).body);

describe('following a log', () => {
  test('gives its lines without their times, until the container ends', async () => {
    const { lines, asked, error } = await following(
      [ends(at('01', 'one'), at('01.5', 'two words'), at('02', ''))],
      [ENDED],
    );
    expect(error).toBeNull();
    expect(lines).toEqual(['one', 'two words', '']);
    expect(asked[0]?.pathname).toBe('/api/v1/namespaces/shop/pods/order-1/log');
    expect(Object.fromEntries(asked[0]!.searchParams)).toEqual({
      container: 'app',
      follow: 'true',
      timestamps: 'true',
    });
  });

  test('a broken connection is taken up where it broke, and no line comes twice or is lost', async () => {
    const { lines, asked, error } = await following(
      [
        breaks(at('01', 'a'), at('02.1', 'same'), at('02.1', 'same'), '2026-11-21T10:00:02.2Z half a li'),
        ends(at('02.1', 'same'), at('02.1', 'same'), at('02.1', 'same'), at('02.2', 'half a line'), at('03', 'z')),
      ],
      [RUNNING, ENDED],
    );
    expect(error).toBeNull();
    expect(lines).toEqual(['a', 'same', 'same', 'same', 'half a line', 'z']);
    expect(asked[1]?.searchParams.get('sinceTime')).toBe('2026-11-21T10:00:02.000000000Z');
  });

  test('an end while the container still runs is none', async () => {
    const { lines } = await following(
      [ends(at('01', 'a')), ends(at('01', 'a'), at('02', 'b'))],
      [RUNNING, RUNNING, RUNNING, ENDED],
    );
    expect(lines).toEqual(['a', 'b']);
  });

  test('a container that was started anew is another one', async () => {
    const { lines, error } = await following(
      [breaks(at('01', 'a')), ends(at('05', 'of the next one'))],
      [RUNNING, pod({ running: {} }, 'containerd://2')],
    );
    expect(error).toBeNull();
    expect(lines).toEqual(['a']);
  });

  test('a container that is gone when its connection broke has ended', async () => {
    const { lines, error } = await following(
      [breaks(at('01', 'a')), refuses(404, 'pods "order-1" not found')],
      [RUNNING],
    );
    expect(error).toBeNull();
    expect(lines).toEqual(['a']);
  });

  test('a container that is being made is waited for', async () => {
    const waiting = refuses(400, 'container "app" in pod "order-1" is waiting to start: ContainerCreating');
    const { lines, error } = await following([waiting, ends(at('01', 'a'))], [ENDED]);
    expect(error).toBeNull();
    expect(lines).toEqual(['a']);
  });

  test.each([
    [403, 'pods "order-1" is forbidden'],
    [404, 'pods "order-1" not found'],
    [400, 'container x is not valid for pod order-1'],
  ])('a %d at the start is refused at once: %s', async (status, message) => {
    const { error, asked } = await following([refuses(status, message)], [RUNNING]);
    expect(error).toBeInstanceOf(Refused);
    expect(error?.message).toContain(`can't get pods/log order-1 in namespace shop: ${message}`);
    expect(asked).toHaveLength(1);
  });

  test('a server that stays away is given up on when patience ends', async () => {
    const { lines, error } = await following([breaks(at('01', 'a'))], [RUNNING], 300);
    expect(lines).toEqual(['a']);
    expect(error).toBeInstanceOf(Unreachable);
    expect(error?.message).toContain('log of shop/order-1/app: not within 0.3 s');
  });

  test('an abort ends it, without an error and without a sound', async () => {
    const abort = new AbortController();
    await using it = await opened({
      http: ({ url }, response) => {
        if (url.pathname.endsWith('/log')) response.writeHead(200).write(at('01', 'a'));
        else json(response, 200, RUNNING);
      },
    });
    await it.cluster.follow(AT, () => abort.abort(), abort.signal);
    await it.cluster.follow(AT, () => {}, AbortSignal.abort());
  });

  test('what the taker of a line throws is thrown', async () => {
    await using it = await opened({
      http: ({ url }, response) =>
        url.pathname.endsWith('/log') ? ends(at('01', 'a'))(response) : json(response, 200, ENDED),
    });
    const full = (): never => {
      throw new Error('full');
    };
    expect((await rejection(it.cluster.follow(AT, full, never))).message).toBe('full');
  });

  test('names that could lead elsewhere never get into a path', async () => {
    await using it = await opened();
    expect(await rejection(it.cluster.follow({ ...AT, pod: '../x' }, () => {}, never))).toBeInstanceOf(Usage);
  });
});

describe('lines', () => {
  test('are the same however the bytes were cut', () => {
    const text = fc.array(
      fc.string({ unit: 'binary' }).map((line) => line.replaceAll('\n', '')),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(text, fc.array(fc.nat(40)), (lines, cuts) => {
        const got: string[] = [];
        const split = splitting((line) => got.push(line));
        let bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const whole = bytes.toString().split('\n').slice(0, -1);
        for (const cut of cuts) {
          split.add(bytes.subarray(0, cut));
          bytes = bytes.subarray(cut);
        }
        split.add(bytes);
        split.end();
        expect(got).toEqual(whole);
      }),
    );
  });

  test('the last one needs no line break', () => {
    const got: string[] = [];
    const split = splitting((line) => got.push(line));
    split.add(Buffer.from('a\nb'));
    split.end();
    expect(got).toEqual(['a', 'b']);
  });

  test('one without end is cut off, saying by how much', () => {
    const got: string[] = [];
    const split = splitting((line) => got.push(line));
    for (let n = 0; n < 20; n++) split.add(Buffer.alloc(64 * 1024, 'x'));
    split.add(Buffer.from('\nnext\n'));
    expect(got[0]?.endsWith(`x… (${4 * 64 * 1024} characters more were dropped)`)).toBe(true);
    expect(got[1]).toBe('next');
  });

  test('taken up anywhere, any number of times, come once each', () => {
    const entry = fc.record({ ms: fc.nat(400), text: fc.constantFrom('a', 'b') });
    fc.assert(
      fc.property(fc.array(entry), fc.array(fc.nat(30)), (entries, breaks) => {
        let time = Date.UTC(2026, 10, 21);
        const log = entries.map(({ ms, text }) => {
          time += ms;
          return { time, line: `${new Date(time).toISOString()} ${text}` };
        });
        const seen = memory();
        const got: string[] = [];
        for (const stop of [...breaks, Number.POSITIVE_INFINITY]) {
          const since = seen.resume();
          const stretch = log.filter((one) => since === null || BigInt(one.time) * 1_000_000n >= since).slice(0, stop);
          for (const { line } of stretch) {
            const fresh = seen.fresh(line);
            if (fresh !== null) got.push(fresh);
          }
        }
        expect(got).toEqual(entries.map(({ text }) => text));
      }),
    );
  });
});
