import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { hubble } from '../../../src/layers/flows/adapter.ts';
import { recordedFlows } from '../../../src/layers/flows/recorded.ts';
import type { WireFlow } from '../../../src/layers/flows/wire.ts';
import type { Window } from '../../../src/model.ts';
import { naming } from '../../../src/naming.ts';
import { fromIso, iso, systemClock } from '../../../src/time.ts';
import { CONNECTED, flowAt, relay } from './relay.ts';

const NAMES = naming(['orders', 'risk'], () => new Map());
const S = 1_000_000_000n;
const T = fromIso('2026-11-21T07:00:00Z');
const at = (second: number): bigint => T + BigInt(Math.round(second * 1e9));
const WINDOW: Window = { from: at(0), until: at(10) };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flows-'));
});
afterEach(() => rm(folder, { recursive: true }));

const file = async (content: string | Buffer, name = 'flows.json'): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
};
const look = (path: string, window = WINDOW, capacity?: number) =>
  recordedFlows({ file: path, naming: NAMES, ...(capacity && { capacity }) }).look(window, AbortSignal.timeout(8000));
const record = (seconds: number, more: object = {}): string =>
  JSON.stringify({
    flow: {
      time: iso(at(seconds)),
      uuid: `u${seconds}`,
      verdict: 'FORWARDED',
      IP: { source: '10.0.0.1', destination: '10.0.0.2', ipVersion: 'IPv4' },
      l4: { TCP: { source_port: 40_000 + Math.round(seconds), destination_port: 80, flags: { SYN: true } } },
      node_name: 'n1',
      is_reply: false,
      ...more,
    },
    node_name: 'n1',
    time: iso(at(seconds)),
  });
const ALL = [0, 3, 6, 10].map((second) => record(second));
const seen = async (path: string, window?: Window) => {
  const { items, gaps } = await look(path, window);
  return {
    ids: items.map(({ id }) => id),
    gaps: gaps.map(({ why, window: { from, until } }) => ({ why, from, until })),
  };
};

describe('a recording', () => {
  test('shows the flows whose time lies in the window, by time, and how to see them again', async () => {
    const path = await file([ALL[2], ALL[0], ALL[3], ALL[1], ''].join('\n'));
    const { items, queries, gaps } = await look(path);
    expect(items.map(({ id }) => id)).toEqual(['u0', 'u3', 'u6']);
    expect(gaps).toEqual([]);
    expect(queries).toEqual([
      {
        id: expect.any(String),
        text: `hubble observe --input-file ${path} --since ${iso(at(0))} --until ${iso(at(10))} --output jsonpb`,
        url: `file:${path}`,
      },
    ]);
  });

  test('may be gzipped, whatever its name says, end lines as Windows does, and have empty lines', async () => {
    const packed = await file(gzipSync(`${ALL.join('\r\n\r\n')}\r\n`), 'flows');
    expect(await seen(packed)).toEqual({ ids: ['u0', 'u3', 'u6'], gaps: [] });
  });

  test('that begins late or ends early leaves gaps there', async () => {
    const path = await file([ALL[1], ALL[2]].join('\n'));
    expect(await seen(path)).toEqual({
      ids: ['u3', 'u6'],
      gaps: [
        { why: `the recording begins only at ${iso(at(3))}`, from: at(0), until: at(3) },
        { why: `the recording ends at ${iso(at(6))}`, from: at(6) + 1n, until: at(10) },
      ],
    });
    const after = { from: at(20), until: at(30) };
    expect(await seen(path, after)).toEqual({
      ids: [],
      gaps: [{ why: `the recording ends at ${iso(at(6))}`, ...after }],
    });
  });

  test('that is empty, or not there, or a folder, is one gap for the whole window', async () => {
    expect((await seen(await file(''))).gaps).toEqual([{ why: 'the recording has no flows', ...WINDOW }]);
    for (const [path, reason] of [
      [join(folder, 'none.json'), /ENOENT/],
      [folder, /EISDIR/],
    ] as const) {
      const { gaps } = await seen(path);
      expect(gaps.at(-1)).toEqual({ why: expect.stringMatching(reason), ...WINDOW });
    }
  });

  test('a damaged line is told by its number, for the time between the lines around it', async () => {
    const path = await file([ALL[0], ALL[1], '{"flow":', '{"hello":1}', ALL[2], '', '["flow"]', ALL[3]].join('\n'));
    expect(await seen(path)).toEqual({
      ids: ['u0', 'u3', 'u6'],
      gaps: [
        { why: expect.stringMatching(/^line 3 and 1 more can't be read: .*JSON/), from: at(3), until: at(6) + 1n },
        { why: "line 7 can't be read: the line is no object", from: at(6), until: at(10) },
      ],
    });
    expect((await seen(path, { from: at(0), until: at(3) })).gaps).toEqual([]);
  });

  test('a last line that was cut is told, and so is gzip that was', async () => {
    const cut = await file([...ALL.slice(0, 3), ALL[3]!.slice(0, 50)].join('\n'));
    expect((await seen(cut)).gaps.map(({ why }) => why)).toEqual([
      `the recording ends at ${iso(at(6))}`,
      expect.stringMatching(/^line 4 can't be read: /),
    ]);
    const packed = gzipSync(ALL.join('\n'));
    const { gaps } = await seen(await file(packed.subarray(0, packed.length - 9), 'cut.gz'));
    expect(gaps.at(-1)!.why).toMatch(/^the recording can't be read to its end: .*end of file/);
  });

  test('a line without an end is passed over in bounded memory; the lines after it are read', async () => {
    const path = await file(`${ALL[0]}\n${'x'.repeat(5_000_000)}\n${ALL[1]}\n${ALL[3]}\n`);
    expect(await seen(path)).toEqual({
      ids: ['u0', 'u3'],
      gaps: [{ why: "line 2 can't be read: longer than any flow", from: at(0), until: at(3) + 1n }],
    });
  });

  test('ever so much damage is told as a hundred gaps and one, and none is left out of the count', async () => {
    const many = Array.from({ length: 500 }, () => ['{', record(5)]).flat();
    const { gaps } = await seen(await file([ALL[0], ...many, ALL[3]].join('\n')));
    expect(gaps.length).toBe(101);
    const told = gaps.reduce((sum, { why }) => sum + 1 + Number(/and (\d+) more/.exec(why)?.[1] ?? 0), 0);
    expect(told).toBe(500);
  });

  test('lost events and nodes that were away are gaps of their own time, and only there', async () => {
    const lost = { source: 'HUBBLE_RING_BUFFER', num_events_lost: '9', first: iso(at(1)), last: iso(at(2)), cpu: 1 };
    const lines = [
      ALL[0],
      JSON.stringify({ lost_events: lost, node_name: 'n1', time: iso(at(2)) }),
      JSON.stringify({ node_status: { state_change: 'NODE_GONE', node_names: ['n2'] }, time: iso(at(4)) }),
      JSON.stringify({ node_status: { state_change: 'NODE_CONNECTED', node_names: ['n2'] }, time: iso(at(6)) }),
      ALL[3],
    ];
    const path = await file(lines.join('\n'));
    expect((await seen(path)).gaps).toEqual([
      { why: '9 events were lost (HUBBLE_RING_BUFFER, node n1, CPU 1)', from: at(1), until: at(2) + 1n },
      { why: 'NODE_GONE: n2', from: at(4), until: at(6) },
    ]);
    expect((await seen(path, { from: at(7), until: at(9) })).gaps).toEqual([]);
  });

  test('more flows than there is room for are dropped, and said to be', async () => {
    const { items, gaps } = await look(await file(ALL.join('\n')), WINDOW, 2);
    expect(items).toHaveLength(2);
    expect(gaps.map(({ why }) => why)).toEqual(['1 flows were dropped here: too many']);
  });
});

describe('a recording that is still written', () => {
  const now = (): string => record(Number(systemClock.now() - T) / 1e9);

  test('is waited for, so that nothing is missing up to the end of the window', async () => {
    const path = await file(`${ALL[0]}\n`);
    const window = { from: systemClock.now() - S, until: systemClock.now() };
    const looking = look(path, window);
    await appendFile(path, `${record(Number(window.from + S / 2n - T) / 1e9)}\n`);
    await appendFile(path, `${now()}\n{"flow":{"ti`);
    const { items, gaps } = await looking;
    expect(items).toHaveLength(1);
    expect(gaps).toEqual([]);
  });

  test('but not for ever: what it has not reached is a gap', async () => {
    const window = { from: systemClock.now() - S, until: systemClock.now() };
    const { gaps } = await look(await file(`${ALL[0]}\n`), window);
    expect(gaps).toMatchObject([{ why: `the recording ends at ${iso(at(0))}`, window }]);
  });
});

describe('the same flows, recorded and from a relay', () => {
  const FLOWS: readonly WireFlow[] = [
    { verdict: 'DROPPED', drop_reason: 133, drop_reason_desc: 'POLICY_DENIED', source: { pod_name: 'orders-1' } },
    { is_reply: {}, destination: { labels: ['k8s:app=risk'], workloads: [{ name: 'risk', kind: 'Deployment' }] } },
    { is_reply: { value: true }, traffic_direction: 'EGRESS', destination_names: ['risk.shop.svc'], reply: true },
    {
      l7: {
        type: 'RESPONSE',
        latency_ns: '1500000',
        http: { code: 503, method: 'GET', url: '/', headers: [{ key: 'a' }] },
      },
    },
    { uuid: '', l4: { UDP: { destination_port: 53 } }, verdict: 99, Summary: 'no uuid: the content names it' },
    { uuid: '', node_name: '', event_type: { type: 4 }, drop_reason: 181 },
  ];

  test('are the very same items', async () => {
    const until = systemClock.now() - 3n * S;
    const window = { from: until - 60n * S, until };
    const responses = FLOWS.map((more, n) => flowAt(window.from + BigInt(n) * S, n, 'n1', more));
    await using server = await relay();
    server.keep(...responses);
    await using layer = hubble({ address: server.address, naming: NAMES });
    const live = await layer.look(window, AbortSignal.timeout(8000));
    const path = await file([CONNECTED, ...responses].map((one) => JSON.stringify(one, asJson)).join('\n'));
    const { items } = await look(path, window);
    expect(items).toHaveLength(FLOWS.length);
    expect(items).toEqual(live.items);
  });

  /** protobuf's JSON mapping: times as text, wrappers bare. */
  const asJson = (key: string, value: unknown): unknown => {
    if (key === 'time')
      return iso(BigInt((value as { seconds: string }).seconds) * S + BigInt((value as { nanos: number }).nanos));
    return key === 'is_reply' ? ((value as { value?: boolean }).value ?? false) : value;
  };
});
