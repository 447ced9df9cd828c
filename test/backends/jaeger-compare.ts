// Two answers to one query, brought to one order: what a difference is between the lab's trace store and a real Jaeger.
import { request } from 'undici';
import type { Query } from './jaeger-queries.ts';

export type Answer = { readonly status: number; readonly type: string; readonly body: unknown };
export type Pair = { readonly query: Query; readonly real: Answer; readonly lab: Answer };

const isObject = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === 'object';

/** Applies `change` to every object inside, from the innermost out. */
export const everywhere = (value: unknown, change: (one: Record<string, unknown>) => unknown): unknown => {
  if (Array.isArray(value)) return value.map((one) => everywhere(one, change));
  if (!isObject(value)) return value;
  return change(Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, everywhere(inner, change)])));
};

// Lists whose order says nothing; that of an attribute's own list does.
const UNORDERED = [
  'attributes',
  'events',
  'links',
  'tags',
  'logs',
  'fields',
  'references',
  'spans',
  'data',
  'services',
  'operations',
  'warnings',
];

const ordered = (one: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(one)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [key, UNORDERED.includes(key) && Array.isArray(value) ? value.toSorted(byJson) : value]),
  );
const byJson = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

// Protobuf's JSON leaves out what is the default, but not in a choice: https://protobuf.dev/programming-guides/json/#field-presence
const isDefault = (value: unknown): boolean =>
  value === '' || value === 0 || value === '0' || (isObject(value) && Object.keys(value).length === 0);
const present = (message: Record<string, unknown>): unknown =>
  Object.fromEntries(Object.entries(message).filter(([key, value]) => key.endsWith('Value') || !isDefault(value)));

type V3 = {
  readonly result: {
    readonly resourceSpans: readonly {
      readonly scopeSpans: readonly { readonly spans?: readonly object[] }[];
    }[];
  };
};
type Process = { readonly serviceName: string };
type Legacy = {
  readonly data: readonly {
    readonly traceID: string;
    readonly spans: readonly { readonly processID: string }[];
    readonly processes: Readonly<Record<string, Process>>;
    readonly warnings: unknown;
  }[];
};

const v3Spans = (body: V3): unknown[] =>
  body.result.resourceSpans.flatMap(({ scopeSpans, ...resource }) =>
    scopeSpans.flatMap(({ spans, ...scope }) => (spans ?? []).map((span) => ({ ...span, resource, scope }))),
  );

// How processes are numbered says nothing.
const legacyTraces = (body: Legacy): unknown[] =>
  body.data.map(({ processes, spans, ...trace }) => ({
    ...trace,
    spans: spans.map(({ processID, ...span }) => ({ ...span, process: processes[processID] })),
  }));

const isV3 = (body: unknown): body is V3 => isObject(body) && isObject(body.result);
const isLegacy = (body: unknown): body is Legacy =>
  isObject(body) && Array.isArray(body.data) && isObject(body.data[0]) && 'spans' in body.data[0];

/** The body without what carries no meaning: order, grouping, numbering, and fields that hold the default. */
export const canonical = (body: unknown): unknown => {
  const flat = isV3(body)
    ? { spans: everywhere(v3Spans(body), present) }
    : isLegacy(body)
      ? { ...body, data: legacyTraces(body) }
      : body;
  return everywhere(flat, ordered);
};

type Held = {
  readonly spans?: readonly { readonly traceId: string }[];
  readonly data?: readonly { readonly traceID?: string }[] | null;
};

/** The ids of the traces in a canonical body. */
export const tracesIn = (body: unknown): Set<string> => {
  if (!isObject(body)) return new Set();
  const { spans, data } = body as Held;
  return new Set([...(spans ?? []).map((one) => one.traceId), ...(data ?? []).flatMap((one) => one.traceID ?? [])]);
};

/** Asks a store on `base`. A body that is not JSON stays text. */
export const ask = async (base: string, path: string): Promise<Answer> => {
  const { statusCode, headers, body } = await request(base + path, { reset: true });
  const text = await body.text();
  const type = String(headers['content-type'] ?? '').split(';')[0]!;
  return { status: statusCode, type, body: /^\s*\{/.test(text) ? canonical(JSON.parse(text)) : text };
};

export const same = ({ real, lab }: Pair): boolean =>
  JSON.stringify(real) === JSON.stringify(lab) ||
  JSON.stringify(everywhere(real, ordered)) === JSON.stringify(everywhere(lab, ordered));
