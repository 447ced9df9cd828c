// What a search asks of a span, as Jaeger's memory storage takes it since 2.20.
import { type KeyValue, kindName, type StoredSpan } from './trace-store-otlp.ts';
import { goBoolean } from './trace-store-params.ts';
import { attribute } from './trace-store-text.ts';

/** What a search asks; every condition must hold on one and the same span. Times in nanoseconds, ends included. */
export type Search = {
  readonly service: string | null;
  readonly operation: string | null;
  readonly from: bigint;
  readonly until: bigint;
  readonly shortest: bigint | null;
  readonly longest: bigint | null;
  readonly attributes: Readonly<Record<string, string>>;
  readonly limit: number;
};

/** Whether the span meets every condition. */
export const matches = (it: StoredSpan, search: Search): boolean =>
  (search.service === null || it.service === search.service) &&
  (search.operation === null || it.span.name === search.operation) &&
  it.start >= search.from &&
  it.start <= search.until &&
  (search.shortest === null || it.end - it.start >= search.shortest) &&
  (search.longest === null || it.end - it.start <= search.longest) &&
  Object.entries(search.attributes).every(([name, value]) => hasAttribute(it, name, value));

const STATUS: Readonly<Record<string, number>> = { OK: 1, ERROR: 2 };
const UNSET = 0;

// Fields that are searched for as if they were attributes. Not an error is only what says that it is none.
const FIELDS: Readonly<Record<string, (it: StoredSpan, value: string) => boolean>> = {
  error: ({ span }, value) => goBoolean(value) !== null && span.status?.code === (goBoolean(value) ? 2 : 1),
  'span.status': ({ span }, value) => (span.status?.code ?? UNSET) === (STATUS[value.toUpperCase()] ?? UNSET),
  'span.kind': ({ span }, value) => kindName(span.kind) === value.toLowerCase(),
  'scope.name': ({ scope }, value) => (scope.name ?? '') === value,
  'scope.version': ({ scope }, value) => (scope.version ?? '') === value,
};
const RESOURCE = 'resource.';

const hasAttribute = (it: StoredSpan, name: string, value: string): boolean => {
  const field = Object.hasOwn(FIELDS, name) ? FIELDS[name] : null;
  if (field) return field(it, value);
  if (name.startsWith(RESOURCE)) return attribute(it.resource.attributes, name.slice(RESOURCE.length)) === value;
  return listsOf(it).some((list) => attribute(list, name) === value);
};

const listsOf = ({ span, scope, resource }: StoredSpan): (readonly KeyValue[] | undefined)[] => [
  span.attributes,
  scope.attributes,
  resource.attributes,
  ...(span.events ?? []).map((one) => one.attributes),
  ...(span.links ?? []).map((one) => one.attributes),
];
