// The public surface: what a scenario or a platform file imports from 'firedrill', and what another tool may build on.
// Its declarations need no more of a user's own TypeScript than this library.
/// <reference lib="esnext.disposable" preserve="true" />
export { alert, type Demands, type Expectation, flow, type Grade, logql, promql, trace } from './expect.ts';
export { latency } from './faults/latency.ts';
export { networkPolicy } from './faults/network-policy.ts';
export { none } from './faults/none.ts';
export { podKill } from './faults/pod-kill.ts';
export type { Duration, LayerName, Ref, Suspect, Trouble } from './model.ts';
export { type Platform, type PlatformProfile, platform } from './platform.ts';
export { controlOf, type Scenario, type ScenarioInput, scenario } from './scenario.ts';
export type { LayerVerdict, Outcome, Verdict } from './verdict.ts';
