// What a fault is: a choice as data, and a guard whose leaving heals. A fault knows the target's contract and nothing of
// layers, analyzers or verdicts.
import type { Duration, Ref, Trouble } from '../model.ts';
import type { Facts, Hit, Target } from '../targets/target.ts';

export type NoFault = { readonly kind: 'none' };
export type PodKill = {
  readonly kind: 'podKill';
  readonly on: Ref;
  readonly pods: number | `${number}%` | 'all';
  /** Killed at once, ended with the grace that its pod has of its own, or frozen. */
  readonly how: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP';
};
export type Latency = {
  readonly kind: 'latency';
  readonly on: Ref;
  readonly add: Duration;
  readonly jitter: Duration;
  readonly hit: Hit;
};
export type NetworkPolicy = { readonly kind: 'networkPolicy'; readonly on: Ref; readonly how: 'drop' | 'reject' };
export type FaultSpec = NoFault | PodKill | Latency | NetworkPolicy;

/** What is true when the fault is in: the place, and the kinds of trouble that explain it. */
export type Truth = { readonly on: Ref | null; readonly kinds: readonly Trouble[] };

/** Who is hurt, in words for the plan. */
export type BlastRadius = { readonly hurts: string; readonly spares: string };

/** One observation, made from outside of the layers under test, that the fault took effect or was undone. */
export type Witness = { readonly says: string; readonly holds: boolean };

export type Context = {
  readonly target: Target;
  readonly facts: Facts;
  readonly runId: string;
  readonly seed: number;
  /** Written down before each act: what is about to be done, and to whom. */
  readonly intend: (act: string, on: string) => Promise<void>;
};

/** A fault that is in. `heal` may be called any number of times, from any state; `witness*` only look. */
export type Injected = {
  witness(): Promise<Witness>;
  heal(): Promise<void>;
  witnessHealed(): Promise<Witness>;
};

export type Fault<S extends FaultSpec> = {
  truth(spec: S): Truth;
  radius(spec: S, facts: Facts): BlastRadius;
  /** Throws Unreachable when the target can't do it; whatever it did by then it has undone. */
  inject(spec: S, context: Context): Promise<Injected>;
};
