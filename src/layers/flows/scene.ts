// What the detectors look at: the tries along each route of the call graph, before and after.
import type { Edge, FlowItem, Observation, Ref, Topology, Trouble, Window } from '../../model.ts';
import { follow, type History, type Try, WORLD } from './tries.ts';

/** All tries from one component (or the outside) to another, in the two windows. */
export type Route = Edge & { readonly before: readonly Try[]; readonly after: readonly Try[] };

export type Scene = {
  readonly baseline: Window;
  readonly test: Window;
  readonly topology: Topology;
  readonly history: History;
  readonly routes: readonly Route[];
};

/** One detector's opinion, before the call graph has its say. `at` is the component in which the trouble sits. */
export type Accusation = {
  readonly ref: Ref;
  readonly kind: Trouble;
  readonly at: string;
  /** The only caller that is hurt, or null when it is the component itself. */
  readonly from: string | null;
  readonly since: bigint;
  readonly score: number;
  readonly why: string;
  readonly evidence: readonly string[];
};

export const sceneOf = (baseline: Observation<FlowItem>, test: Observation<FlowItem>, topology: Topology): Scene => {
  const history = follow(merged(baseline.items, test.items), topology, test.window.until);
  const byEnds = Map.groupBy(history.tries, ({ from, to }) => `${from}->${to}`);
  const routes = [...byEnds.values()].map((tries) => route(tries, test.window));
  const known = routes.filter(({ from, to }) => to !== WORLD && from !== to);
  const scene = { baseline: baseline.window, test: test.window, topology, history };
  return { ...scene, routes: known.filter((one) => one.from !== WORLD || usersComeIn(one.to, known, topology)) };
};

/** Each flow once, in order of time: relays promise their order only about, and windows may overlap. */
const merged = (...parts: readonly (readonly FlowItem[])[]): FlowItem[] => {
  const byId = new Map(parts.flat().map((flow) => [flow.id, flow]));
  return [...byId.values()].sort((a, b) => Number(a.at - b.at));
};

const route = (tries: readonly Try[], test: Window): Route => ({
  from: tries[0]!.from,
  to: tries[0]!.to,
  before: tries.filter(({ at }) => at < test.from),
  after: tries.filter(({ at }) => at >= test.from),
});

/** Calls from outside into a component that others call as well are probes and scrapes, unless it is where users come in. */
const usersComeIn = (component: string, routes: readonly Route[], { entry }: Topology): boolean =>
  component === entry || !routes.some(({ from, to }) => to === component && from !== WORLD);

export const routesInto = ({ routes }: Scene, component: string): Route[] =>
  routes.filter(({ to }) => to === component);
export const routesOutOf = ({ routes }: Scene, component: string): Route[] =>
  routes.filter(({ from }) => from === component);
