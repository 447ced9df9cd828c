// The arrival plan: a pure function of a seed, a load and a platform's journeys.

/** One request that is to be sent, all of it known before the first is sent. */
export type PlannedRequest = {
  readonly n: number;
  /** Milliseconds after the start of traffic. */
  readonly atMs: number;
  readonly journey: string;
  readonly method: string;
  readonly path: string;
  readonly body: string | null;
  readonly user: string;
  readonly session: string;
};

export type TrafficPlan = {
  readonly runId: string;
  readonly seed: number;
  /** Base URL, as the client itself reaches the entry component. */
  readonly url: string;
  readonly timeoutMs: number;
  readonly requests: readonly PlannedRequest[];
};
