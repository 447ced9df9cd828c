// A growing capture file → packet items.
import { stat } from 'node:fs/promises';
import { oneLine } from '../../errors.ts';
import type { Answer, Gap, LayerAdapter, Nanos, PacketItem, Query, Window } from '../../model.ts';
import type { Naming } from '../../naming.ts';
import { type Clock, SECOND, systemClock } from '../../time.ts';
import { type CaptureState, createCapture } from './capture.ts';
import { feed } from './file.ts';

export { readCapture } from './file.ts';

export type PacketsOptions = {
  /** A pcap or pcapng file, which may still grow. */
  readonly file: string;
  readonly naming: Naming;
  /** Packets that the kernel dropped before they reached the file, once that is known (tcpdump says so at its end). */
  readonly captureLoss?: () => number | null;
  readonly clock?: Clock;
};

/** A capture's last packets may still be in tcpdump's buffer, or the kernel's (both are flushed within a second). */
const LAG = 2n * SECOND;

/**
 * The packets layer on a capture file. Each look reads on from where the last one stopped; a last record that is not all
 * there yet waits for the next look. No file, nothing in it, damage, packets dropped or not understood are gaps.
 */
export const packets = (options: PacketsOptions): LayerAdapter<PacketItem> => {
  const clock = options.clock ?? systemClock;
  let capture = createCapture(options.naming);
  let offset = 0;
  let before: Promise<void> = Promise.resolve();

  const readOn = async (signal: AbortSignal): Promise<void> => {
    const { size } = await stat(options.file);
    if (size < offset) {
      // Another capture has taken the file's place.
      capture = createCapture(options.naming);
      offset = 0;
    }
    const push = (chunk: Buffer): void => {
      capture.push(chunk);
      offset += chunk.length;
    };
    await feed(options.file, offset, push, signal);
  };

  return {
    layer: 'packets',
    async look(window, signal) {
      const query = queryFor(options.file, window);
      const reading = before.then(() => readOn(signal));
      before = reading.catch(() => {});
      try {
        await reading;
      } catch (error) {
        return { items: [], queries: [query], gaps: [gap(query, window, oneLine(error))] };
      }
      capture.settle(earlier(window.until, clock.now()) - LAG);
      return answer(capture.state(), query, window, options.captureLoss?.() ?? 0);
    },
    async [Symbol.asyncDispose]() {
      await before;
    },
  };
};

const earlier = (a: Nanos, b: Nanos): Nanos => (a < b ? a : b);

const answer = (state: CaptureState, query: Query, window: Window, lost: number): Answer<PacketItem> => ({
  items: state.items.filter(({ at }) => at >= window.from && at < window.until),
  queries: [query],
  gaps: gaps(state, query, window, lost),
});

const queryFor = (file: string, { from, until }: Window): Query => ({
  id: `packets:${from}-${until}`,
  text: `tshark -r ${quoted(file)} -Y 'tcp && frame.time_epoch >= ${epoch(from)} && frame.time_epoch < ${epoch(until)}'`,
  // As it was given: a report that is passed on names no folders of whoever made it.
  url: `file:${encodeURI(file)}`,
});

const quoted = (file: string): string => (/^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", `'\\''`)}'`);

const epoch = (at: Nanos): string => `${at / SECOND}.${String(at % SECOND).padStart(9, '0')}`;

const gap = (query: Query, window: Window, why: string): Gap => ({ layer: 'packets', query: query.text, window, why });

const gaps = (state: CaptureState, query: Query, window: Window, lost: number): Gap[] => {
  const whole = wholeWindow(state, lost).map((why) => gap(query, window, why));
  const damage = damageIn(state);
  const from = state.last !== null && state.last > window.from ? state.last : window.from;
  return damage !== null && from < window.until ? [...whole, gap(query, { ...window, from }, damage)] : whole;
};

/** Why the file can say nothing, or less than it should, about any window. */
const wholeWindow = ({ end, untimed, undecoded, decoded, droppedItems }: CaptureState, lost: number): string[] => [
  ...(end.end !== 'complete' && 'truncated' in end.end && end.end.truncated === 0 ? [`capture: ${end.end.why}`] : []),
  ...(lost > 0 ? [`the kernel dropped ${lost} packets before they were captured`] : []),
  ...(untimed > 0 ? [`${untimed} packets have no time`] : []),
  ...(decoded === 0 && undecoded.size > 0 ? [`no packet of link type ${[...undecoded.keys()]} could be decoded`] : []),
  ...(droppedItems > 0 ? [`too much happened: the ${droppedItems} oldest events were let go`] : []),
];

const damageIn = ({ end: { end } }: CaptureState): string | null =>
  end !== 'complete' && 'corrupt' in end ? `capture damaged at byte ${end.corrupt}: ${end.why}` : null;
