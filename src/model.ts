// The nouns that every stage shares. This file imports nothing and knows no clock, no backend and no fault.

/** An instant: nanoseconds since the Unix epoch, UTC. */
export type Nanos = bigint;

/** A stretch of time, half open: `from` is in it, `until` is not. */
export type Window = { readonly from: Nanos; readonly until: Nanos };

/** A length of time as people write it: `250ms`, `1.5s`, `2m`, `1h`. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h'}`;

/** What can be hurt or blamed: a component, one of its pods, or the way from one component to another. */
export type Ref = `service:${string}` | `pod:${string}` | `edge:${string}->${string}`;

/** The kind of trouble: gone, too slow, answering with errors, or cut off by the network. */
export type Trouble = 'absent' | 'slow' | 'erroring' | 'blocked';

export const LAYERS = ['traces', 'metrics', 'alerts', 'logs', 'flows', 'packets'] as const;
export type LayerName = (typeof LAYERS)[number];

/** Calls go from `from` to `to`; both are component names. */
export type Edge = { readonly from: string; readonly to: string };

/** What an analyzer may know of the platform: names, who calls whom, and where users come in. */
export type Topology = {
  readonly entry: string;
  readonly components: readonly string[];
  readonly edges: readonly Edge[];
};

/** A query as a person could repeat it: what was asked, and where. */
export type Query = { readonly id: string; readonly text: string; readonly url: string };

/** One thing that a layer showed. `id` is stable: the same thing seen twice has the same id. */
export type Item = { readonly id: string; readonly at: Nanos };

/** A stretch of time for which a layer was asked and could not answer. Never the same as "nothing there". */
export type Gap = { readonly layer: LayerName; readonly query: string; readonly window: Window; readonly why: string };

/** What a layer answered about one window. Items may lie outside of the window; they are kept once each. */
export type Answer<I extends Item = Item> = {
  readonly items: readonly I[];
  readonly queries: readonly Query[];
  readonly gaps: readonly Gap[];
};

/** The part of a layer's evidence that lies in one window, ordered by time. */
export type Observation<I extends Item = Item> = { readonly window: Window; readonly items: readonly I[] };

/** All that a layer's analyzer is ever given. The fault, its kind, its place and its time are not in here. */
export type Blind<I extends Item = Item> = {
  readonly baseline: Observation<I>;
  readonly test: Observation<I>;
  readonly topology: Topology;
};

/** Somebody blamed: who, for what, since when, how surely (0 to 1), and by which evidence. */
export type Suspect = {
  readonly ref: Ref;
  readonly kind: Trouble;
  readonly since: Nanos;
  readonly score: number;
  readonly why: string;
  readonly evidence: readonly string[];
};

/** What an analyzer says: suspects, the surest first, and a sentence on what it saw or why it can't see. */
export type Finding = { readonly suspects: readonly Suspect[]; readonly why: string };

export type Analyzer<I extends Item = Item> = (input: Blind<I>) => Finding;

/** A layer's wire format turned into nouns. `look` asks about a window and never throws: trouble is a gap. */
export interface LayerAdapter<I extends Item = Item> extends AsyncDisposable {
  readonly layer: LayerName;
  look(window: Window, signal: AbortSignal): Promise<Answer<I>>;
}

export const service = (name: string): Ref => `service:${name}`;
export const pod = (name: string): Ref => `pod:${name}`;
export const edge = (from: string, to: string): Ref => `edge:${from}->${to}`;

/** The two ends of an edge reference, or null when the reference is not an edge. */
export const ends = (ref: Ref): Edge | null => {
  const match = /^edge:(.+)->(.+)$/.exec(ref);
  return match ? { from: match[1]!, to: match[2]! } : null;
};

// ---- What each layer shows -----------------------------------------------------------------------------------

/** A span, as a trace backend has it. `peer` is the component that a client span says it called. */
export type SpanItem = Item & {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | null;
  readonly service: string;
  readonly pod: string | null;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  readonly durationMs: number;
  readonly error: boolean;
  readonly status: number | null;
  readonly message: string;
  readonly peer: string | null;
};

/**
 * One sample of one series. Counters are raw (cumulative) values.
 * up: 0 or 1 per pod; started: process start, Unix seconds; requests, durationSum (seconds), durationCount,
 * durationBucket (with `le`): the server's own view; client*: the caller's view of `peer`; cpu: seconds, counter;
 * memory: bytes.
 */
export type SampleItem = Item & {
  readonly metric:
    | 'up'
    | 'started'
    | 'requests'
    | 'durationSum'
    | 'durationCount'
    | 'durationBucket'
    | 'clientRequests'
    | 'clientDurationSum'
    | 'clientDurationCount'
    | 'clientDurationBucket'
    | 'cpu'
    | 'memory';
  readonly service: string;
  readonly pod: string | null;
  readonly peer: string | null;
  /** The response's status as the metric has it (`200`, `5xx`, `error`), or null. */
  readonly status: string | null;
  readonly le: string | null;
  /** Names the series: samples with the same `series` belong together. */
  readonly series: string;
  readonly value: number;
};

/** An alert as one look found it. `at` is when it became active; `source` says who showed it. */
export type AlertItem = Item & {
  readonly name: string;
  readonly state: 'pending' | 'firing' | 'resolved' | 'suppressed';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly source: 'prometheus' | 'alertmanager' | 'webhook';
};

export type LogItem = Item & {
  readonly service: string;
  readonly pod: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly line: string;
};

export type FlowEnd = {
  readonly ip: string;
  readonly port: number;
  readonly pod: string | null;
  readonly service: string | null;
};

export type FlowItem = Item & {
  readonly verdict: 'FORWARDED' | 'DROPPED' | 'ERROR' | 'AUDIT' | 'REDIRECTED' | 'TRACED' | 'TRANSLATED' | 'UNKNOWN';
  readonly dropReason: string | null;
  readonly source: FlowEnd;
  readonly destination: FlowEnd;
  readonly protocol: 'TCP' | 'UDP' | 'ICMP' | 'OTHER';
  /** Flags that were set, in the order SYN, ACK, FIN, RST, PSH. */
  readonly flags: readonly ('SYN' | 'ACK' | 'FIN' | 'RST' | 'PSH')[];
  /** Whether the packet goes from the server back to the client; null when the observer does not know. */
  readonly reply: boolean | null;
  readonly direction: 'INGRESS' | 'EGRESS' | null;
  readonly http: {
    readonly code: number;
    readonly method: string;
    readonly url: string;
    readonly latencyMs: number;
  } | null;
};

/**
 * What following TCP in a capture shows, one item an event, always seen from the client to the server.
 * handshake: `ms` is SYN to SYN+ACK; exchange: `ms` is the request's last byte to the response's first; unanswered: a
 * SYN without an answer so far; refused: a SYN answered by a reset; reset: a connection reset later;
 * closed: the server closed a connection on which nothing was waiting; retransmission: data sent again; silent: request
 * data that no answer followed (`ms` is how long it was waited for).
 */
export type PacketItem = Item & {
  readonly event:
    | 'handshake'
    | 'exchange'
    | 'unanswered'
    | 'refused'
    | 'reset'
    | 'closed'
    | 'retransmission'
    | 'silent';
  readonly client: FlowEnd;
  readonly server: FlowEnd;
  readonly ms: number | null;
  /** Which end sent the packet that showed it; whoever sends is alive. */
  readonly by: 'client' | 'server';
};
