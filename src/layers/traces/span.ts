// A span as either of Jaeger's APIs has it, and what it becomes.
import type { SpanItem } from '../../model.ts';
import type { Naming } from '../../naming.ts';
import type { Telemetry } from '../../platform.ts';

/** Attributes as text by key. Times in nanoseconds, ids in hex of any length. */
export type RawSpan = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | null;
  readonly service: string;
  readonly name: string;
  readonly kind: SpanItem['kind'];
  readonly start: bigint;
  readonly durationMs: number;
  readonly error: boolean;
  readonly message: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly resource: ReadonlyMap<string, string>;
};

export type Names = { readonly naming: Naming; readonly telemetry: Telemetry };

const KINDS: readonly SpanItem['kind'][] = ['internal', 'server', 'client', 'producer', 'consumer'];

/** The kind of that name, however it is written; what is not said is internal. */
export const kindOf = (name: string | undefined): SpanItem['kind'] =>
  KINDS.find((one) => one === name?.toLowerCase()) ?? 'internal';

/** The first of the keys that is there and not empty. */
export const first = (from: ReadonlyMap<string, string>, ...keys: readonly string[]): string | null => {
  for (const key of keys) {
    const value = from.get(key);
    if (value) return value;
  }
  return null;
};

/** OpenTelemetry's names for a response's status, the newer first, and for the pod that a span comes from. */
const STATUS = ['http.response.status_code', 'http.status_code'];
const POD = ['k8s.pod.name', 'service.instance.id', 'host.name'];

export const spanItem = (raw: RawSpan, names: Names): SpanItem => {
  const traceId = raw.traceId.toLowerCase().padStart(32, '0');
  const spanId = raw.spanId.toLowerCase().padStart(16, '0');
  return {
    id: `${traceId}/${spanId}`,
    at: raw.start,
    traceId,
    spanId,
    parentId: raw.parentId?.toLowerCase().padStart(16, '0') ?? null,
    service: names.naming.component(raw.service) ?? raw.service,
    pod: first(raw.resource, ...POD),
    name: raw.name,
    kind: raw.kind,
    durationMs: raw.durationMs,
    error: raw.error || raw.attributes.get('error') === 'true',
    status: statusOf(raw),
    message: raw.message || (first(raw.attributes, 'exception.message', 'error.message', 'error.type') ?? ''),
    peer: peerOf(raw, names),
  };
};

const statusOf = ({ attributes }: RawSpan): number | null => {
  const status = Number(first(attributes, ...STATUS) ?? Number.NaN);
  return Number.isInteger(status) && status >= 100 && status <= 599 ? status : null;
};

// On a server span the same attributes name the server itself.
const peerOf = ({ kind, attributes }: RawSpan, { naming, telemetry }: Names): string | null => {
  if (kind !== 'client' && kind !== 'producer') return null;
  for (const key of telemetry.traces.peer) {
    const component = naming.component(attributes.get(key));
    if (component) return component;
  }
  return null;
};
