// All faults by kind.
import type { Fault, FaultSpec } from './fault.ts';
import { latencyFault } from './latency.ts';
import { networkPolicyFault } from './network-policy.ts';
import { noFault } from './none.ts';
import { podKillFault } from './pod-kill.ts';

const faults: { readonly [K in FaultSpec['kind']]: Fault<Extract<FaultSpec, { kind: K }>> } = {
  none: noFault,
  podKill: podKillFault,
  latency: latencyFault,
  networkPolicy: networkPolicyFault,
};

export const faultOf = <S extends FaultSpec>(spec: S): Fault<S> => faults[spec.kind] as unknown as Fault<S>;
