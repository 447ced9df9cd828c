// Where the lab's log store may differ from Loki, each with its reason. What no longer differs has to go from here.
import type { Compared } from './loki-compare.ts';

export type Allowed = {
  readonly name: string;
  readonly why: string;
  /** Queries that show it, beside those of the other cases. */
  readonly queries?: readonly string[];
  readonly covers: (compared: Compared) => boolean;
};

const SYNTAX =
  /^400 text\/plain; charset=utf-8\nparse error at (line \d+, col \d+): syntax error: unexpected ([^,\s]+)/;
const UNSUPPORTED = /^400 text\/plain; charset=utf-8\nparse error at line 1, col \d+: not supported: /;

const refused = ({ lab, real }: Compared): boolean => lab.startsWith('400 ') && real.startsWith('400 ');
const bothSay = (compared: Compared, words: RegExp): boolean =>
  refused(compared) && words.test(compared.lab) && words.test(compared.real);
const is = ({ asked }: Compared, queries: readonly string[]): boolean => queries.includes(String(asked.params.query));

/** A form of LogQL that the store leaves out and says so, with its place. */
const form = (name: string, ...queries: readonly string[]): Allowed => ({
  name,
  why: `the store does not have ${name}: nothing in firedrill asks with it`,
  queries,
  covers: (compared) => is(compared, queries) && UNSUPPORTED.test(compared.lab) && compared.real.startsWith('200 '),
});

/** Loki's own fault, which these queries show; the store does as the documentation says. */
const fault = (name: string, why: string, ...queries: readonly string[]): Allowed => ({
  name,
  why,
  queries,
  covers: (compared) => is(compared, queries) && compared.lab.startsWith('200 ') && compared.real.startsWith('200 '),
});

/** A form that @grafana/lezer-logql, our grammar, does not know. */
const unparsed = (name: string, ...queries: readonly string[]): Allowed => ({
  name,
  why: `the grammar package does not know ${name}; the store answers 400 with the place`,
  queries,
  covers: (compared) => is(compared, queries) && SYNTAX.test(compared.lab) && compared.real.startsWith('200 '),
});

const WORDS: readonly Allowed[] = [
  {
    name: 'what was expected',
    why: "the store's grammar names the place and what stands there, not what could have stood there",
    covers: (compared) => refused(compared) && compared.lab === compared.real.replace(/, expecting .*/, ''),
  },
  {
    name: 'keywords',
    why: 'the grammar package has no tokens: a keyword out of place and a single quote are what they look like',
    covers: (compared) => {
      const [lab, real] = [SYNTAX.exec(compared.lab), SYNTAX.exec(compared.real)];
      return (
        lab !== null && real !== null && lab[1] === real[1] && /^(IDENTIFIER|')$/.test(lab[2]!) && lab[2] !== real[2]
      );
    },
  },
  {
    name: 'errors of the lexer',
    why: "Loki's lexer counts lines from 0 and reads brackets and durations before the grammar does",
    covers: (compared) =>
      refused(compared) && /parse error at line 0, /.test(compared.real) && SYNTAX.test(compared.lab),
  },
  {
    name: 'a function alone',
    why: "Loki's lexer takes a function's name without a parenthesis for a label's name, and so stops a token earlier",
    covers: (compared) => bothSay(compared, SYNTAX) && is(compared, ['rate']),
  },
  {
    name: 'legs of an operation',
    why: 'Loki finds a log query in an operation after parsing and names its own Go type; the store names the place',
    covers: (compared) => UNSUPPORTED.test(compared.lab) && /unexpected type for (left|right) leg/.test(compared.real),
  },
  {
    name: 'words of regular expressions',
    why: "what is wrong with a regular expression is told in JavaScript's words",
    covers: (compared) => bothSay(compared, /error parsing regexp: /),
  },
  {
    name: 'words of json paths',
    why: "Loki's parser of paths is one more grammar, with one more list of what it expected",
    covers: (compared) => bothSay(compared, /cannot parse expression \[/),
  },
  {
    name: 'stages as they are written',
    why: 'Loki prints a stage anew, the store shows it as it stands in the query',
    covers: (compared) => bothSay(compared, /parse error : stage '\| label_format .*' : multiple label name/),
  },
  {
    name: 'which line could not be read',
    why: 'of several lines with an error Loki names whichever comes first in a Go map',
    // By chance it is the same line now and then; not all of these times.
    queries: Array<string>(100).fill('count_over_time({app=~"gen-.*"} | json [1m])'),
    covers: (compared) => bothSay(compared, /\npipeline error: '\w+' for series: /),
  },
];

/** The lines of an answer without the details of errors, in no order. */
const withoutDetails = (said: string): string =>
  said
    .replace(/\["__error_details__","(?:[^"\\]|\\.)*"\],/g, '')
    .split('\n')
    .sort()
    .join('\n');

const ANSWERS: readonly Allowed[] = [
  {
    name: 'details of an earlier error',
    why: 'Loki tries a label filter already while it parses; the details of its error stay when a later parser fails',
    queries: ['{app="pay"} | logfmt | json p="x" | took <= 12'],
    covers: ({ asked, lab, real }) =>
      asked.path === 'query_range' && /JSONParserErr/.test(lab) && withoutDetails(lab) === withoutDetails(real),
  },
  {
    name: 'the time of a number',
    why: 'Loki stamps an instant query of numbers alone with a time that is none (5936084850173); the store with the time asked for',
    covers: ({ lab, real }) => /\nscalar\n/.test(real) && / (\S+)$/.exec(lab)?.[1] === / (\S+)$/.exec(real)?.[1],
  },
  {
    name: 'labels of another time',
    why: "Loki's ingesters list the labels of every stream in memory, whatever the window",
    covers: ({ asked, lab, real }) => /^label/.test(asked.path) && lab.endsWith('\nno data') && real.startsWith('200 '),
  },
  fault(
    'averages of what can not be read',
    'Loki divides the sum of a grouped avg_over_time by the count of all lines, also of those whose value it dropped',
    'avg_over_time({app="web"} | json | __error__="" | unwrap context_status | __error__="" [30s]) by (pod)',
  ),
  fault(
    'label filters that are not anchored',
    'Loki simplifies `A.*` in a label filter to "contains A"; by its documentation the expression matches the whole value',
    '{app="web"} | json | level=~"A.*"',
    '{app="web"} | json | level=~".*WAR|ERR.*"',
  ),
  fault(
    'label filters that match everything',
    'Loki simplifies an empty expression in a label filter to one that every value passes',
    '{app="web"} | json | level=~""',
    '{app="web"} | json | level!~""',
  ),
  fault(
    'alternatives that match everything',
    'Loki forgets an alternative that every line matches, instead of the others',
    '{app="steady"} |= "tick 11" or ""',
    '{app="steady"} |~ "1$" or ".*"',
  ),
];

const FORMS: readonly Allowed[] = [
  form('regexp', '{app="plain"} | regexp "(?P<method>\\\\w+) (?P<path>\\\\S+)"'),
  form('pattern', '{app="plain"} | pattern "<method> <path> <_>"'),
  form('unpack', '{app="web"} | unpack'),
  form('decolorize', '{app="plain"} | decolorize'),
  form('pattern filters', '{app="plain"} |> "<_> from <_>"', '{app="plain"} !> "<_> from <_>"'),
  form('ip filters', '{app="plain"} |= ip("198.51.100.0/24")', '{app="plain"} | logfmt | addr=ip("198.51.100.0/24")'),
  form(
    'functions in templates',
    '{app="web"} | json | line_format "{{.level | lower}}"',
    '{app="web"} | json | label_format a="{{__line__}}"',
  ),
  form('label_replace', 'label_replace(rate({app="web"}[1m]), "x", "$1", "pod", "web-(.)")'),
  form('vector', 'vector(1)'),
  form('sort', 'sort(sum by (app) (rate({env="dev"}[1m])))', 'sort_desc(sum by (app) (rate({env="dev"}[1m])))'),
  form('stddev and stdvar', 'stddev(rate({env="dev"}[1m]))', 'stdvar(rate({env="dev"}[1m]))'),
  form(
    'stddev_over_time and stdvar_over_time',
    'stddev_over_time({app="web"} | json | unwrap n [1m])',
    'stdvar_over_time({app="web"} | json | unwrap n [1m])',
  ),
  form('rate_counter', 'rate_counter({app="web"} | json | unwrap n [1m])'),
  form('absent_over_time', 'absent_over_time({app="nobody"}[1m])'),
  form(
    'and, or, unless',
    'rate({app="web"}[1m]) and rate({app="web"}[1m])',
    'rate({app="web"}[1m]) or rate({app="pay"}[1m])',
    'rate({app="web"}[1m]) unless rate({app="pay"}[1m])',
  ),
  form(
    'vector matching',
    'sum by (app, env) (rate({app="web"}[1m])) / on (app) sum by (app) (rate({app="web"}[1m]))',
    'sum by (app, env) (rate({app="web"}[1m])) / ignoring (env) sum by (app) (rate({app="web"}[1m]))',
    'rate({app="web"}[1m]) / on (app) group_left sum by (app) (rate({app="web"}[1m]))',
  ),
  unparsed('label filters side by side', '{app="pay"} | logfmt | level="error" account="acc-2"'),
  unparsed('an offset after unwrap', 'max_over_time({app="web"} | json | unwrap n [1m] offset 5s)'),
];

export const ALLOWED: readonly Allowed[] = [...WORDS, ...ANSWERS, ...FORMS];

/** Everything that explains a difference. */
export const explains = (compared: Compared): Allowed[] => ALLOWED.filter(({ covers }) => covers(compared));
