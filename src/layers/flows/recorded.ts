// Flows that `hubble observe -o json`, or Hubble's flow exporter, wrote to a file, as the flows layer.
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { oneLine, Unreachable } from '../../errors.ts';
import type { FlowItem, Gap, LayerAdapter, Nanos, Query, Window } from '../../model.ts';
import type { Naming } from '../../naming.ts';
import { until } from '../../poll.ts';
import { type Clock, fromMs, iso, systemClock } from '../../time.ts';
import { createAccount, enter, type Trouble, tell } from './adapter-account.ts';
import { toItem } from './item.ts';
import { flowOf, fromWireTime, type WireResponse } from './wire.ts';
import { fromJson } from './wire-json.ts';

export type RecordedFlowsOptions = {
  /** JSON lines, gzipped or not. */
  readonly file: string;
  readonly naming: Naming;
  /** How many flows of one window are kept; 200 000 unless told. */
  readonly capacity?: number;
  readonly clock?: Clock;
};

/** What one reading of the file found, about one window. */
type Reading = {
  readonly window: Window;
  readonly items: Map<string, FlowItem>;
  readonly troubles: Trouble[];
  first: Nanos | null;
  last: Nanos | null;
  dropped: number;
};

/** Lines that say nothing, one after the other. */
type Damage = { readonly line: number; readonly why: string; readonly from: Nanos | null; more: number };

const CAPACITY = 200_000;
/** A flow with every field filled is a few kilobytes. */
const LONGEST_LINE = 1024 * 1024;
/** More damage than this is told as one. */
const KEPT = 100;
/** A relay holds flows back for up to a second to sort them, and whoever writes them buffers. */
const LAG_MS = 2000;
const POLL_MS = 100;
/** Enough for the last lines of a file. */
const TAIL = 64 * 1024;

/**
 * The flows layer on a recording, which may still be written: a look at what has only just happened waits up to 2 s for the
 * file to reach the window's end. Each look reads the file from its beginning, a line at a time, and gives the flows whose
 * time lies in the window, the very items that `hubble` gives for them. Gaps: what the recording does not reach (before
 * its first event, after its last), lines that are no event (each with its number), events that Hubble said were lost and
 * nodes that it said were away, flows for which there was no room, a file that can't be read or ends in the middle.
 */
export const recordedFlows = (options: RecordedFlowsOptions): LayerAdapter<FlowItem> => ({
  layer: 'flows',
  look: async (window, signal) => {
    const query = queryOf(options.file, window);
    const reading: Reading = { window, items: new Map(), troubles: [], first: null, last: null, dropped: 0 };
    const looked = reached(options, window.until, signal).then(() => read(reading, options, signal));
    await looked.catch((error: unknown) => {
      reading.troubles.push({ why: oneLine(error), from: reading.last, until: null });
    });
    const items = [...reading.items.values()].sort((a, b) => Number(a.at - b.at));
    const gaps = [...unreached(reading), ...reading.troubles].flatMap((one) => toGap(one, query, window));
    return { items, queries: [query], gaps };
  },
  [Symbol.asyncDispose]: async () => undefined,
});

/** Waits until the file has come to `end`, or would have, had there been any flow. */
const reached = async ({ file, clock = systemClock }: RecordedFlowsOptions, end: Nanos, signal: AbortSignal) => {
  const there = async (): Promise<true | null> =>
    clock.now() >= end + fromMs(LAG_MS) || (await newest(file)) >= end ? true : null;
  await until('flows', there, { forMs: LAG_MS, everyMs: POLL_MS, signal, clock }).catch(() => signal.throwIfAborted());
};

/** When the last event was whose line is whole. */
const newest = async (file: string): Promise<Nanos> => {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(TAIL), 0, TAIL, Math.max(0, size - TAIL));
    const event = parse(buffer.toString('utf8', 0, bytesRead).split('\n').at(-2) ?? '');
    return typeof event === 'string' ? 0n : fromWireTime(flowOf(event)?.time ?? event.time);
  } finally {
    await handle.close();
  }
};

const read = async (reading: Reading, { file, naming, capacity }: RecordedFlowsOptions, signal: AbortSignal) => {
  const account = createAccount();
  let damage: Damage | null = null;
  const repaired = (at: Nanos | null): void => {
    if (damage) reading.troubles.push(inWords(damage, at));
    damage = null;
  };
  try {
    for await (const { text, number, why } of lines(file, signal)) {
      const parsed = why === null ? parse(text) : why;
      if (typeof parsed === 'string') {
        if (damage) damage.more += 1;
        else damage = { line: number, why: parsed, from: reading.last, more: 0 };
        continue;
      }
      enter(account, parsed);
      const at = take(reading, parsed, naming, capacity ?? CAPACITY);
      if (at !== null && reading.troubles.length < KEPT) repaired(at);
    }
  } finally {
    repaired(null);
    reading.troubles.push(...tell(account));
    if (reading.dropped > 0)
      reading.troubles.push({ why: `${reading.dropped} flows were dropped here: too many`, from: null, until: null });
  }
};

/** Takes what lies in the window; returns when the event was, as far as it says so. */
const take = (reading: Reading, response: WireResponse, naming: Naming, capacity: number): Nanos | null => {
  const flow = flowOf(response);
  const time = flow?.time ?? response.time;
  if (!time) return null;
  const at = fromWireTime(time);
  if (reading.first === null || at < reading.first) reading.first = at;
  if (reading.last === null || at > reading.last) reading.last = at;
  const item = flow && at >= reading.window.from && at < reading.window.until ? toItem(flow, naming) : null;
  if (!item) return at;
  if (reading.items.size < capacity || reading.items.has(item.id)) reading.items.set(item.id, item);
  else reading.dropped += 1;
  return at;
};

/** The event, or why the line is none. */
const parse = (text: string): WireResponse | string => {
  try {
    return fromJson(JSON.parse(text));
  } catch (error) {
    return oneLine(error);
  }
};

const inWords = ({ line, why, from, more }: Damage, until: Nanos | null): Trouble => ({
  why: `line ${line}${more > 0 ? ` and ${more} more` : ''} can't be read: ${why}`,
  from,
  until: until === null ? null : until + 1n,
});

/** A recording says nothing of the time before its first event and after its last. */
const unreached = ({ first, last, window: { from, until } }: Reading): Trouble[] => {
  if (first === null || last === null) return [{ why: 'the recording has no flows', from: null, until: null }];
  return [
    ...(first > from ? [{ why: `the recording begins only at ${iso(first)}`, from, until: first }] : []),
    ...(last + 1n < until ? [{ why: `the recording ends at ${iso(last)}`, from: last + 1n, until }] : []),
  ];
};

/** The part of a trouble that lies in the window. */
const toGap = ({ why, from, until }: Trouble, query: Query, window: Window): Gap[] => {
  const begins = from === null || from < window.from ? window.from : from;
  const ends = until === null || until > window.until ? window.until : until;
  return begins < ends ? [{ layer: 'flows', query: query.text, window: { from: begins, until: ends }, why }] : [];
};

type Line = { readonly number: number; readonly text: string; readonly why: string | null };

/** The file's lines that are not empty; one that is too long to be an event is passed over. Throws Unreachable. */
async function* lines(file: string, signal: AbortSignal): AsyncGenerator<Line> {
  let rest = '';
  let number = 0;
  let tooLong = false;
  const line = (text: string): Line => {
    number += 1;
    const why = tooLong || text.length > LONGEST_LINE ? 'longer than any flow' : null;
    tooLong = false;
    return { number, text, why };
  };
  for await (const chunk of chunks(file, signal)) {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop()!;
    for (const text of parts) {
      const one = line(text);
      if (text.trim() !== '' || one.why !== null) yield one;
    }
    if (rest.length > LONGEST_LINE) {
      tooLong = true;
      rest = '';
    }
  }
  if (rest.trim() !== '' || tooLong) yield line(rest);
}

async function* chunks(file: string, signal: AbortSignal): AsyncGenerator<string> {
  try {
    const zipped = await isGzipped(file);
    const raw = createReadStream(file, { signal });
    const text = zipped ? pipeline(raw, createGunzip(), () => undefined) : raw;
    for await (const chunk of text.setEncoding('utf8')) yield chunk as string;
  } catch (error) {
    signal.throwIfAborted();
    throw new Unreachable(`the recording can't be read to its end: ${oneLine(error)}`);
  }
}

/** By its first bytes (RFC 1952, 2.3.1), whatever it is called. */
const isGzipped = async (file: string): Promise<boolean> => {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await handle.close();
  }
};

const queryOf = (file: string, { from, until }: Window): Query => ({
  id: `flows-${from}-${until}`,
  text: `hubble observe --input-file ${quoted(file)} --since ${iso(from)} --until ${iso(until)} --output jsonpb`,
  // As it was given: a report that is passed on names no folders of whoever made it.
  url: `file:${encodeURI(file)}`,
});

const quoted = (file: string): string => (/^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", `'\\''`)}'`);
