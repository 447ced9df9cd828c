// By how much a request got slower, and in which part of its way: in a service itself, or before it.
import { medianSorted } from 'simple-statistics';
import type { Stretch } from './scan.ts';
import { sum, within } from './symptoms.ts';
import type { Slice, View, Views } from './views.ts';

/** Seconds of `time` per unit of `per`, in the stretch, less the same in the baseline; 0 when either has nothing to divide by. */
const shift = (
  view: View,
  stretch: Stretch,
  time: (slice: Slice) => number,
  against: View = view,
  per: (slice: Slice) => number = ({ timed }) => timed,
): number => {
  const [now, before] = [sum(within(against, stretch), per), sum(against.baseline, per)];
  if (now <= 0 || before <= 0) return 0;
  return sum(within(view, stretch), time) / now - sum(view.baseline, time) / before;
};

/** How much longer requests to this view take, in seconds per request; unanswered ones count with the time they were waited for. */
export const slowdown = (view: View, stretch: Stretch): number => shift(view, stretch, ({ time }) => time);

/** The same of answered calls only. */
export const answeredSlowdown = (view: View, stretch: Stretch): number =>
  shift(
    view,
    stretch,
    ({ answeredTime }) => answeredTime,
    view,
    ({ answeredTimed }) => answeredTimed,
  );

/** What calls along `call` add to a request that its caller serves. */
export const contribution = (server: View, call: View, stretch: Stretch): number =>
  shift(call, stretch, ({ time }) => time, server);

/** What is left of a service's slowdown after all calls that it makes: its own work. Calls made at once count too much, never too little. */
export const ownSlowdown = (server: View, calls: readonly View[], stretch: Stretch): number =>
  slowdown(server, stretch) - calls.reduce((total, call) => total + contribution(server, call, stretch), 0);

/** What calls take longer on the way to a server than the server itself sees. */
export const wayThere = (call: View, server: View | undefined, stretch: Stretch): number =>
  answeredSlowdown(call, stretch) - (server ? slowdown(server, stretch) : 0);

/** A whole machine that is busy slows every part a little; a fault is one part that stands out among the others. */
const STANDS_OUT = 3;

/** Whether `part` seconds stand out among all services' own slowdowns and all ways between them. */
export const standsOut = (part: number, { server, client }: Views, stretch: Stretch): boolean => {
  const own = [...server.values()].map((view) =>
    ownSlowdown(
      view,
      client.filter(({ service }) => service === view.service),
      stretch,
    ),
  );
  const ways = client.map((call) => wayThere(call, server.get(call.peer!), stretch));
  const parts = [...own, ...ways].map((one) => Math.max(0, one)).sort((a, b) => a - b);
  return parts.length < 3 || part >= STANDS_OUT * medianSorted(parts);
};
