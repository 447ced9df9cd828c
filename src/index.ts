// The public surface: what a scenario or a platform file imports from 'firedrill', and what another tool may build on.
export { alert, flow, logql, promql, trace, type Demands, type Expectation, type Grade } from './expect.ts';
export { latency } from './faults/latency.ts';
export { networkPolicy } from './faults/network-policy.ts';
export { none } from './faults/none.ts';
export { podKill } from './faults/pod-kill.ts';
export type { Duration, LayerName, Ref, Suspect, Trouble } from './model.ts';
export { platform, type Platform, type PlatformProfile } from './platform.ts';
export { controlOf, scenario, type Scenario, type ScenarioInput } from './scenario.ts';
export type { LayerVerdict, Outcome, Verdict } from './verdict.ts';
