// What a capture shows, for a person to read and for a program.
import { COUNTS, type Conversation, type Counts } from '../pcap/digest.ts';
import type { FileRead } from '../pcap/files.ts';
import type { SurveyResult } from '../pcap/survey.ts';
import type { TimingRow } from '../pcap/timings.ts';

type Shown = { readonly top: number; readonly http: boolean };

/** Tables of at most `top` rows each, and what is not in them said below. */
export const surveyText = (files: readonly FileRead[], survey: SurveyResult, { top, http }: Shown): string => {
  const parts = [
    ...files.map(fileLine),
    totals(survey),
    section('Conversations', survey.conversations, top, CONVERSATION, conversationRow),
    section('Handshakes without an answer', survey.unanswered, top, UNANSWERED, (one) => [
      instant(one),
      one.client,
      one.server,
      String(one.syns),
    ]),
    ...(http ? [timingSection('Response times by endpoint', 'endpoint', survey.endpoints, top)] : []),
    ...(http ? [timingSection('Response times by user', 'user', survey.users, top)] : []),
    notes(survey).join('\n'),
  ];
  return `${parts.filter((part) => part !== '').join('\n')}\n`;
};

/** The same as one JSON object, with every row there is. Times are ISO 8601 UTC, durations milliseconds. */
export const surveyJson = (files: readonly FileRead[], survey: SurveyResult): string => {
  const { passed, conversations, unanswered, endpoints, users, overlapping, http2, evicted, chosen } = survey;
  const { packets, octets, accepted, untimed, first, last, undecoded } = passed;
  return `${JSON.stringify(
    {
      schema: 1,
      files,
      packets,
      bytes: octets,
      accepted,
      untimed,
      undecoded: Object.fromEntries(undecoded),
      first: first && instant(first),
      last: last && instant(last),
      totals: totalOf(conversations),
      conversations,
      unanswered: unanswered.map(({ seconds, nanos, ...one }) => ({ at: instant({ seconds, nanos }), ...one })),
      endpoints: endpoints.map(({ name, ...one }) => ({ endpoint: name, ...one })),
      users: users.map(({ name, ...one }) => ({ user: name, ...one })),
      requestsChosen: chosen,
      notTimed: { overlapping, http2Connections: http2 },
      evicted,
    },
    null,
    2,
  )}\n`;
};

const fileLine = ({ file, format, packing, packets, end }: FileRead): string =>
  `${file}: ${format}${packing === 'plain' ? '' : ` in ${packing}`}, ${count(packets)} packets${end ? `; ${end}` : ''}`;

/** Packets and bytes are told of the capture as a whole. */
type Sums = Omit<Counts, 'packets' | 'bytes'>;

const SUMS = COUNTS.filter((key): key is keyof Sums => key !== 'packets' && key !== 'bytes');

const totalOf = (all: readonly Conversation[]): Sums =>
  Object.fromEntries(SUMS.map((key) => [key, all.reduce((sum, one) => sum + one[key], 0)])) as Sums;

const totals = ({ passed, conversations }: SurveyResult): string => {
  const { packets, octets, first, last } = passed;
  const sum = totalOf(conversations);
  const time = first && last ? `, ${instant(first)} to ${instant(last)}` : '';
  return [
    `${count(packets)} packets, ${count(octets)} bytes on the wire${time}`,
    `${count(sum.conversations)} conversations; handshakes: ${count(sum.unanswered)} unanswered, ${count(sum.refused)} refused; ` +
      `packets: ${count(sum.retransmissions)} retransmitted, ${count(sum.outOfOrder)} out of order, ` +
      `${count(sum.resets)} resets${sum.copies > 0 ? `, ${count(sum.copies)} seen twice` : ''}`,
  ].join('\n');
};

const CONVERSATION = [
  '',
  'client',
  'server',
  'number',
  'packets',
  'bytes',
  'unanswered',
  'refused',
  'retransmitted',
  'reset',
];

const conversationRow = (it: Conversation): string[] => [
  it.protocol,
  it.client,
  it.server,
  ...[it.conversations, it.packets, it.bytes, it.unanswered, it.refused, it.retransmissions, it.reset].map(count),
];

const UNANSWERED = ['first SYN', 'client', 'server', 'SYNs'];

const timingSection = (title: string, name: string, rows: readonly TimingRow[], top: number): string =>
  section(
    title,
    rows,
    top,
    [name, 'server', 'requests', 'answered', '5xx', 'p50 ms', 'p90 ms', 'p99 ms', 'max ms'],
    (it) => [
      it.name,
      it.server,
      ...[it.requests, it.answered, it.errors].map(count),
      ...(it.ms
        ? [it.ms.p50, it.ms.p90, it.ms.p99, it.ms.max].map((ms) => ms.toFixed(ms < 10 ? 2 : 0))
        : ['', '', '', '']),
    ],
  );

const section = <T>(
  title: string,
  rows: readonly T[],
  top: number,
  head: readonly string[],
  cells: (row: T) => readonly string[],
): string => {
  if (rows.length === 0) return '';
  const more = rows.length > top ? `\n  … and ${count(rows.length - top)} more (--top ${rows.length}, or --json)` : '';
  return `\n${title}\n${table([head, ...rows.slice(0, top).map(cells)])}${more}`;
};

/** Numbers to the right, everything else to the left. */
const table = (rows: readonly (readonly string[])[]): string => {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => plain(row[i]!).length)));
  const right = rows[0]!.map((_, i) => rows.length > 1 && rows.slice(1).every((row) => /^[\d\s.]*$/.test(row[i]!)));
  return rows
    .map((row) =>
      `  ${row.map((cell, i) => (right[i] ? plain(cell).padStart(widths[i]!) : plain(cell).padEnd(widths[i]!))).join('  ')}`.trimEnd(),
    )
    .join('\n');
};

/** What came over the wire must not steer the terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
const plain = (text: string): string => text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?');

const count = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ' ');

/** ISO 8601 UTC with microseconds; a time that no calendar has is given as its number. */
const instant = ({ seconds, nanos }: { readonly seconds: number; readonly nanos: number }): string => {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return Number.isNaN(seconds) ? 'no time' : `${seconds} s`;
  return date.toISOString().replace(/\.\d+Z$/, `.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`);
};

const notes = ({ passed, evicted, overlapping, http2, users, endpoints }: SurveyResult): string[] => {
  const undecoded = [...passed.undecoded].map(([linkType, n]) => `${count(n)} of link type ${linkType}`);
  const beyond = [...users, ...endpoints].some(({ server, name }) => server === '(others)' || name === '(others)');
  const lines = [
    undecoded.length > 0 ? `packets without IP, cut in their headers, or later fragments: ${undecoded.join(', ')}` : '',
    passed.untimed > 0 ? `${count(passed.untimed)} packets have no time` : '',
    evicted > 0
      ? `${count(evicted)} quiet conversations were given up for newer ones; what follows of them counts as new`
      : '',
    overlapping > 0 ? `${count(overlapping)} requests came before the answer to the one before: not timed` : '',
    http2 > 0 ? `${count(http2)} conversations are HTTP/2, whose headers are compressed: not timed` : '',
    beyond ? '(others): there were more names than are kept apart' : '',
  ].filter((line) => line !== '');
  return lines.length > 0 ? ['', ...lines.map((line) => `note: ${line}`)] : [];
};
