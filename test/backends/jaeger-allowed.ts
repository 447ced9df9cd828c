// The differences between the lab's trace store and a real Jaeger that are meant to be, each with its reason.
// What is not in this list, or not any more in the answers, fails the suite.
import { type Answer, everywhere, type Pair, tracesIn } from './jaeger-compare.ts';
import { ADJUSTED, idOf, NOT_A_NUMBER } from './jaeger-spans.ts';

export type Allowed = {
  readonly name: string;
  readonly reason: string;
  /** The only release that has it. */
  readonly only?: string;
  /** The pair without this difference; the very same object where it does not apply. */
  readonly without: (pair: Pair) => Pair;
};

const params = ({ query }: Pair): URLSearchParams => new URL(query.path, 'http://store').searchParams;
const isV3 = ({ query }: Pair): boolean => query.path.startsWith('/api/v3/');
const settled = (pair: Pair): Pair => ({ ...pair, lab: pair.real });

/** A difference that is the whole answer. */
const whole =
  (when: (pair: Pair) => boolean) =>
  (pair: Pair): Pair =>
    when(pair) ? settled(pair) : pair;

const bodies = (pair: Pair, change: (body: unknown) => unknown): Pair => {
  const { real, lab } = pair;
  if (JSON.stringify(real.body) === JSON.stringify(lab.body)) return pair;
  return { ...pair, real: { ...real, body: change(real.body) }, lab: { ...lab, body: change(lab.body) } };
};

const statuses = ({ real, lab }: Pair): string => `${real.status} ${lab.status}`;
const found = (answer: Answer): Set<string> => tracesIn(answer.body);

/** Every tag that a search asks for, by key. */
const tagsAsked = (pair: Pair): readonly string[] => {
  const given = params(pair);
  const json = given.getAll('tags').flatMap((one) => (/^\{.*\}$/s.test(one) ? Object.keys(JSON.parse(one)) : []));
  return [...json, ...given.getAll('tag').map((one) => one.slice(0, one.indexOf(':')))];
};

/** Whether only this trace is in the answers. */
const concerns = ({ real, lab }: Pair, trace: number): boolean => {
  const ids = [...found(real), ...found(lab)];
  return ids.length > 0 && ids.every((one) => one.padStart(32, '0') === idOf(trace));
};

const EMPTY = ['data', 'services', 'operations'];
const withoutEmpty = (body: unknown): unknown =>
  Object.fromEntries(
    Object.entries(body as object).filter(
      ([key, value]) => !(EMPTY.includes(key) && (value === null || (Array.isArray(value) && value.length === 0))),
    ),
  );

const MEANT = ['error', 'span.kind', 'span.status', 'scope.name', 'scope.version'];

/** What Jaeger notes on a span for the people who look at it. */
const NOTES = [
  /^Negative duration detected, sanitizing end timestamp\./,
  /^invalid parent span IDs=[0-9a-f]+; skipping clock skew adjustment$/,
  /^parent span ID=[0-9a-f]+ is not in the trace; skipping clock skew adjustment$/,
  /^duplicate span IDs; skipping clock skew adjustment$/,
  /^clock skew adjustment disabled; not applying calculated delta of /,
  /^Invalid span reference removed /,
  /^Invalid span link removed$/,
];
const isNote = (text: unknown): boolean => NOTES.some((one) => one.test(String(text)));

type Listed = {
  readonly key?: string;
  readonly value?: { readonly arrayValue?: { readonly values: { readonly stringValue: string }[] } };
};

const isNotes = ({ key, value }: Listed): boolean =>
  key === '@jaeger@warnings' && (value?.arrayValue?.values ?? []).every((one) => isNote(one.stringValue));

const withoutNotes = (one: Record<string, unknown>): unknown => {
  const { warnings, attributes, ...others } = one;
  const kept = Array.isArray(attributes) ? attributes.filter((each) => !isNotes(each)) : [];
  return {
    ...others,
    ...(warnings === undefined
      ? {}
      : { warnings: Array.isArray(warnings) && warnings.every(isNote) ? null : warnings }),
    ...(kept.length > 0 ? { attributes: kept } : {}),
  };
};

const SAID = ['msg', 'message'];
const parameterIn = (text: string): string | null =>
  /^(malformed parameter|unable to parse param) '?([\w.]+)'?: /.exec(text)?.[2] ?? null;

/** Which parameters an answer says to be at fault. */
const blamed = (body: unknown): readonly string[] => {
  const names: string[] = [];
  everywhere(body, (one) => {
    names.push(...SAID.flatMap((key) => parameterIn(String(one[key])) ?? []));
    return one;
  });
  return names;
};
const wordless = (body: unknown): unknown =>
  everywhere(body, (one) => Object.fromEntries(Object.entries(one).filter(([key]) => !SAID.includes(key))));

const listed = (body: unknown): readonly object[] => (body as { operations?: object[] }).operations ?? [];
const callsOf = (body: unknown): readonly Record<string, unknown>[] =>
  (body as { data?: Record<string, unknown>[] }).data ?? [];

/** The release of the recorded answers, and of the rig; the store follows 2.20. */
const OLD = '2.13';

export const ALLOWED: readonly Allowed[] = [
  {
    name: 'content type',
    only: OLD,
    reason: '2.13 says text/plain of what is JSON, in API v3 and in errors; the store says application/json.',
    without: (pair) => {
      const types = [pair.real.type, pair.lab.type].join();
      return types === 'text/plain,application/json' ? { ...pair, lab: { ...pair.lab, type: pair.real.type } } : pair;
    },
  },
  {
    name: 'notes',
    reason:
      'Jaeger notes on spans, for people, what its adjusters and sanitizers made of them; the store has nobody to tell.',
    without: (pair) => bodies(pair, (body) => everywhere(body, withoutNotes)),
  },
  {
    name: 'words of an error',
    reason:
      'The status and the parameter that Jaeger names are the same; what is wrong with it is said in Go’s words there, in ours here.',
    without: (pair) => {
      const named = blamed(pair.real.body);
      const alike = named.length === 0 || named.join() === blamed(pair.lab.body).join();
      return pair.real.status === pair.lab.status && pair.real.status >= 400 && alike ? bodies(pair, wordless) : pair;
    },
  },
  {
    name: 'paths that are not there',
    only: OLD,
    reason: '2.13 answers any path with 200 and its user interface; the store as 2.20, with a 404 in plain text.',
    without: whole(
      (pair) => pair.real.type === 'text/html' && statuses(pair) === '200 404' && pair.lab.type === 'text/plain',
    ),
  },
  {
    name: 'camelCase',
    only: OLD,
    reason: '2.13 has API v3’s parameters in snake_case only; 2.20, and the store, in camelCase too.',
    without: whole((pair) => statuses(pair) === '400 200' && params(pair).has('query.startTimeMin')),
  },
  {
    name: 'search depth',
    only: OLD,
    reason:
      '2.13 answers a search of API v3 without a depth, or with none above zero, with a 500; since 2.19 that is 100 traces, or a 400 if negative.',
    without: whole(
      (pair) =>
        ['500 200', '500 404', '500 400'].includes(statuses(pair)) &&
        isV3(pair) &&
        !(Number(params(pair).get('query.num_traces')) > 0),
    ),
  },
  {
    name: 'most traces at once',
    reason:
      'Jaeger refuses to look for more traces than its memory holds (100 000, as set); the store counts in spans.',
    without: whole(
      (pair) => /^500 (200|400)$/.test(statuses(pair)) && Number(params(pair).get('query.num_traces')) > 100_000,
    ),
  },
  {
    name: 'API v3 attributes',
    only: OLD,
    reason: '2.13 passes over query.attributes; 2.20, and the store, filter by them.',
    without: whole(
      (pair) => params(pair).has('query.attributes') && [...found(pair.lab)].every((one) => found(pair.real).has(one)),
    ),
  },
  {
    name: 'fields as tags',
    only: OLD,
    reason:
      '2.13 takes error:true for a status of OK and other fields for attributes; 2.20, and the store, for what they say.',
    without: whole(
      (pair) =>
        statuses(pair) === '200 200' &&
        tagsAsked(pair).some((one) => MEANT.includes(one) || one.startsWith('resource.')),
    ),
  },
  {
    name: 'tags of links',
    only: OLD,
    reason: '2.13 looks for tags everywhere but in links; 2.20, and the store, there too.',
    without: whole((pair) => found(pair.real).size === 0 && tagsAsked(pair).some((one) => one.startsWith('link.'))),
  },
  {
    name: 'operations of no kind',
    only: OLD,
    reason: '2.13 lists them without a kind in API v3, later versions, and the store, as internal.',
    without: (pair) =>
      pair.query.path.startsWith('/api/v3/operations')
        ? bodies(pair, (body) => ({
            operations: listed(body).map((one) => ({ name: '', spanKind: 'internal', ...one })),
          }))
        : pair,
  },
  {
    name: 'empty lists',
    only: OLD,
    reason: '2.13 leaves an empty list out, or says null; later versions, and the store, say [].',
    without: (pair) => (statuses(pair) === '200 200' ? bodies(pair, withoutEmpty) : pair),
  },
  {
    name: 'which traces a limit leaves',
    reason:
      'Jaeger’s memory takes the ones that came last, of one batch any; the store those that began last. As many, from the same.',
    without: whole(
      (pair) =>
        pair.query.whole !== undefined &&
        statuses(pair) === '200 200' &&
        found(pair.real).size === found(pair.lab).size,
    ),
  },
  {
    name: 'adjusters',
    reason:
      'When read, Jaeger gives Zipkin’s shared span ids, numbers for addresses and an SDK’s attributes their present form, and keeps it so; the store gives what was sent.',
    without: whole((pair) => statuses(pair) === '200 200' && concerns(pair, ADJUSTED)),
  },
  {
    name: 'calls of adjusted spans',
    reason: 'A server that was given a span id of its own is then a call from its client.',
    without: (pair) =>
      pair.query.path.startsWith('/api/dependencies')
        ? bodies(pair, (body) => ({
            ...(body as object),
            data: callsOf(body).filter((one) => one.child !== 'adjusted'),
          }))
        : pair,
  },
  {
    name: 'not a number',
    reason: 'The older API can’t write NaN and answers 500; the store writes it as a word, as API v3 does.',
    without: whole((pair) => statuses(pair) === '500 200' && concerns(pair, NOT_A_NUMBER)),
  },
];
