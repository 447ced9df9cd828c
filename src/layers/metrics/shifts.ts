// By how much a request got slower, and in which part of its way: in a service itself, or before it.
import { median } from 'simple-statistics';
import type { Topology } from '../../model.ts';
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

/**
 * Whether `part` seconds of this view stand out among the others of its kind: a service's own slowdown among the other services',
 * a way's among the ways to other callees.
 */
export const standsOut = (part: number, view: View, views: Views, topology: Topology, stretch: Stretch): boolean => {
  const services = [...views.server.values()].filter(({ service }) => service !== view.service);
  const own = services.map((one) => unexplained(one, views, topology, stretch));
  const ways = views.client
    .filter(({ peer }) => peer !== view.peer)
    .map((call) => wayThere(call, views.server.get(call.peer!), stretch));
  const others = view.peer !== null && ways.length > 0 ? ways : own;
  return others.length === 0 || part >= STANDS_OUT * Math.max(0, median(others));
};

/** A service's slowdown less that of what it calls: by its own measure of the calls, or else by what the callees say. */
const unexplained = (server: View, views: Views, topology: Topology, stretch: Stretch): number => {
  const calls = views.client.filter(({ service }) => service === server.service);
  return calls.length > 0
    ? ownSlowdown(server, calls, stretch)
    : slowdown(server, stretch) - believed(server, views, topology, stretch);
};

/**
 * What callees add to a request of a service that does not measure its calls, in seconds, as if each callee's requests came from all
 * of its callers alike.
 */
export const believed = (caller: View, { server }: Views, { edges }: Topology, stretch: Stretch): number => {
  const served = (name: string): number => {
    const view = server.get(name);
    return view ? sum(within(view, stretch), ({ timed }) => timed) : 0;
  };
  const callees = edges.filter(({ from }) => from === caller.service).flatMap(({ to }) => server.get(to) ?? []);
  return callees.reduce((total, callee) => {
    const callers = edges.filter(({ to }) => to === callee.service).reduce((all, { from }) => all + served(from), 0);
    return total + (callers > 0 ? (Math.max(0, slowdown(callee, stretch)) * served(callee.service)) / callers : 0);
  }, 0);
};
