// The ledger: one record for every tagged request, the client's own truth. Pure data.

export type LedgerRecord = {
  /** Position in the arrival plan. */
  readonly n: number;
  readonly journey: string;
  readonly request: string;
  readonly requestId: string;
  readonly correlationId: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly user: string;
  readonly session: string;
  /** ISO 8601 with nanoseconds: when the plan wanted it sent, when it was, when its answer or failure was complete. */
  readonly intended: string;
  readonly sent: string | null;
  readonly ended: string | null;
  /** HTTP status, or null when no answer came; then `error` says why (`ECONNREFUSED`, `timeout`, `not sent`). */
  readonly status: number | null;
  readonly error: string | null;
  /** Milliseconds from the intended time to the end: coordinated omission counted in. */
  readonly latencyMs: number | null;
  /** Milliseconds from the actual time to the end. */
  readonly serviceMs: number | null;
  readonly local: { readonly ip: string; readonly port: number } | null;
  readonly remote: { readonly ip: string; readonly port: number } | null;
};

export type TrafficSummary = {
  readonly sent: number;
  readonly answered: number;
  readonly failed: number;
  /** The client itself could not keep up: such a run is never a pass. Null, or why. */
  readonly saturated: string | null;
};
