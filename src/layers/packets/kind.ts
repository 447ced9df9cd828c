// What failed calls look like when their server has died, hangs, is too slow, or is cut off by the network.
import type { PacketItem, Trouble } from '../../model.ts';
import type { Broken } from './broken.ts';
import { at, connectionOf, type Outcome, type View } from './view.ts';

/**
 * How the failed calls of an edge failed. `lost`: nobody acknowledged them; `refused`: a reset came back at once;
 * `waiting`: they were acknowledged, so that a kernel is there, but no program answered.
 */
export type Symptoms = { readonly lost: number; readonly refused: number; readonly waiting: number };

/** Hanging up after this many times the longest usual wait is giving up, not dying. */
const PATIENCE = 2;

export const symptomsOf = (view: View, edges: readonly Broken[]): Symptoms => {
  const repeated = repeatedConnections(view);
  const usual = longestUsual(edges);
  const symptoms = { lost: 0, refused: 0, waiting: 0 };
  for (const { bad } of edges) for (const one of bad) symptoms[symptomOf(one, repeated, usual)] += 1;
  return symptoms;
};

const symptomOf = ({ bad, ms, item }: Outcome, repeated: ReadonlySet<string>, usual: number): keyof Symptoms => {
  if (bad === 'unanswered') return 'lost';
  if (bad === 'refused') return 'refused';
  if (bad === 'cut') return (ms ?? 0) > PATIENCE * usual ? 'waiting' : 'refused';
  return repeated.has(connectionOf(item)) ? 'lost' : 'waiting';
};

/** Connections on which the client had to repeat itself: what it sent was not acknowledged. */
const repeatedConnections = ({ test }: View): Set<string> =>
  new Set(test.filter(({ event, by }) => event === 'retransmission' && by === 'client').map(connectionOf));

const longestUsual = (edges: readonly Broken[]): number =>
  edges.reduce((longest, { view }) => view.baseline.reduce((max, { ms }) => Math.max(max, ms ?? 0), longest), 0);

/** Whether only a program's silence is to be seen, which trouble further down explains. */
export const onlyWaiting = ({ lost, refused, waiting }: Symptoms): boolean => waiting > 4 * (lost + refused);

/**
 * What became of a component whose callers failed. A program that still sends (calls of its own, answers, repeated data)
 * lives: it is blocked when its callers' packets get lost, slow when they arrive. One that does not is absent when its
 * callers were refused or hung up on, when another address took its place, or when its kernel acknowledges what no
 * program answers. When packets just get lost, with no sign of an end, the network is blocked.
 */
export const kindOf = (view: View, inbound: readonly Broken[]): Trouble => {
  const { lost, refused, waiting } = symptomsOf(view, inbound);
  const from = Math.min(...inbound.map((one) => one.from));
  const until = Math.max(...inbound.map((one) => one.until));
  const dead = new Set(inbound.flatMap(({ bad }) => bad.map(({ item }) => item.server.ip)));
  const lives = sends(view, dead, from, until);
  if (waiting >= lost + refused) return lives ? 'slow' : 'absent';
  if (lives) return 'blocked';
  if (replaced(view, dead, from)) return 'absent';
  if (back(view, dead, until)) return 'blocked';
  return refused > 0 || hungUp(view, dead, from) ? 'absent' : 'blocked';
};

/** What was already on its way when the trouble began is no sign of life after it. */
const ON_ITS_WAY_MS = 200;

/** Whether these addresses sent, in that time, what only a living program sends, or its kernel on its behalf. */
const sends = (view: View, addresses: ReadonlySet<string>, from: number, until: number): boolean =>
  view.test.some((item) => {
    const asServer = addresses.has(item.server.ip) && item.by === 'server';
    const asClient = addresses.has(item.client.ip) && (item.by === 'client' || item.event === 'exchange');
    if (!(asServer || asClient) || !speaks(item, asClient)) return false;
    const when = at(view, item.at) - (asClient ? (item.ms ?? 0) : 0);
    return when > from + ON_ITS_WAY_MS && when <= until;
  });

/** A kernel alone can shake hands, refuse and reset; it can't answer, call or repeat. */
const speaks = ({ event, ms }: PacketItem, asClient: boolean): boolean =>
  asClient || event === 'exchange' || event === 'retransmission' || (event === 'reset' && ms !== null);

/** Whether the dead addresses' component answered from an address that the baseline did not know. */
const replaced = (view: View, dead: ReadonlySet<string>, from: number): boolean => {
  const services = new Set(view.test.filter(({ server }) => dead.has(server.ip)).map(({ server }) => server.service));
  const known = new Set(
    [...view.baseline, ...view.test.filter((item) => at(view, item.at) <= from)].map(({ server }) => server.ip),
  );
  return view.test.some(
    ({ event, server }) =>
      event === 'exchange' && server.service !== null && services.has(server.service) && !known.has(server.ip),
  );
};

const back = (view: View, dead: ReadonlySet<string>, until: number): boolean =>
  view.test.some((item) => item.event === 'exchange' && dead.has(item.server.ip) && at(view, item.at) > until);

/** How long a dying process's connections take to close, or a capture's clocks to agree. */
const DYING_MS = 1500;

/** Whether these addresses closed more connections around that time than idle servers do by themselves. */
const hungUp = (view: View, dead: ReadonlySet<string>, when: number): boolean => {
  const closes = (item: PacketItem): boolean =>
    dead.has(item.server.ip) && item.by === 'server' && (item.event === 'closed' || item.event === 'reset');
  const then = view.test.filter((item) => closes(item) && Math.abs(at(view, item.at) - when) < DYING_MS).length;
  const usual = (view.baseline.filter(closes).length * 2 * DYING_MS) / view.span.baselineMs;
  // Three standard deviations of a Poisson count.
  return then > usual + 3 * Math.sqrt(usual) && then > 0;
};
