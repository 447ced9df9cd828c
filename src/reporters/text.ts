// The verdict for a terminal: plain text, no colour, at most 110 columns.
import { LAYERS } from '../model.ts';
import type { Plan } from '../plan.ts';
import type { LayerVerdict, Verdict } from '../verdict.ts';
import {
  ARRIVALS,
  arrivals,
  bracket,
  clock,
  type GapGroup,
  gapGroups,
  headline,
  misses,
  reached,
  STEPS,
  secondsBetween,
  unexplained,
} from './words.ts';

const WIDTH = 110;
/** Width of the column that says what a line is about. */
const LABEL = 10;
const MOST_GAPS = 8;
const MOST_SUSPECTS = 5;

/** The whole verdict: outcome, ground truth, the matrix of layers, and the reasons for what was missed. */
export const text = (verdict: Verdict, plan: Plan): string => {
  const parts = [
    head(verdict),
    groundTruth(verdict, plan),
    matrix(verdict),
    reasons(verdict),
    expectations(verdict),
    arrived(verdict),
    [...gaps(verdict), ...traffic(verdict), ...fused(verdict), ...origin(verdict)],
  ];
  return `${parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
};

/** One line for a list of drills: `FAIL  killed order service  metrics is silent, located is asked for`. */
export const line = (verdict: Verdict): string =>
  cut(`${headline(verdict.outcome).padEnd(17)}  ${verdict.scenario}  ${verdict.because}`, WIDTH);

const head = ({ outcome, scenario, because }: Verdict): string[] => [
  ...wrap(`${headline(outcome)}  ${scenario}`, 0),
  ...wrap(because, 2),
];

const groundTruth = ({ groundTruth: it }: Verdict, plan: Plan): string[] => {
  if (it.on === null)
    return labelled(
      'fault',
      "none: whatever a layer reports is a false alarm, unless the client's own requests got worse too",
    );
  return [
    ...labelled('fault', `${it.fault} on ${it.on}${it.kind ? ` (${it.kind})` : ''}`),
    ...labelled('hurts', plan.radius.hurts),
    ...labelled('in', period(it)),
    ...each('witnessed', it.witnessedBy, 'by nothing'),
    ...labelled('healed', it.healedAt ? `at ${clock(it.healedAt)}Z` : 'no'),
    ...it.healWitnessedBy.flatMap((says) => labelled('', says)),
  ];
};

const period = ({ from, until }: Verdict['groundTruth']): string => {
  if (!from) return 'never: it was not injected';
  if (!until) return `from ${from.slice(0, 10)} ${clock(from)}Z on`;
  const length = secondsBetween(from, until).toFixed(1);
  return `from ${from.slice(0, 10)} ${clock(from)}Z until ${clock(until)}Z, ${length} s`;
};

const matrix = (verdict: Verdict): string[] => {
  const rows = LAYERS.map((layer) => {
    const it = verdict.layers[layer];
    const wanted = it.wanted ? `${misses(it) ? '! ' : '  '}${it.wanted}` : '';
    const steps = STEPS.map((step) => reached(verdict, layer, step));
    return [layer, ...steps, bracket(it.timeToDetect), wanted, accused(it)];
  });
  return table([['layer', ...STEPS, 'detected in', '  wanted', 'blames'], ...rows]);
};

/** Score and kind first: they are short, and a long way's name may be cut. */
const accused = ({ suspects: [top] }: LayerVerdict): string =>
  top ? `${top.score.toFixed(2)} ${top.kind} ${top.ref.replace(/^(service|edge):/, '')}` : '-';

/** Columns as wide as their widest cell; the last is cut where the line ends. */
const table = (rows: readonly (readonly string[])[]): string[] => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const padded = (row: readonly string[]): string => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ');
  return rows.map((row) => cut(padded(row).trimEnd(), WIDTH));
};

const reasons = (verdict: Verdict): string[] =>
  unexplained(verdict).flatMap((layer) =>
    labelled(layer, `${verdict.layers[layer].grade}: ${verdict.layers[layer].why}`),
  );

const expectations = (verdict: Verdict): string[] =>
  verdict.expectations.flatMap(({ says, holds, why }) =>
    labelled(holds === null ? 'unknown' : holds ? 'holds' : '! broken', `${says}: ${why}`),
  );

/** Which of the requests that were answered well each layer came to show. */
const arrived = ({ layers }: Verdict): string[] => {
  const rows = LAYERS.flatMap((layer) => {
    const it = layers[layer].sentinels;
    return it ? [[layer, ...arrivals(it)]] : [];
  });
  return rows.length > 0 ? table([['sentinels', ...ARRIVALS], ...rows]) : [];
};

const gaps = (verdict: Verdict): string[] => {
  const groups = gapGroups(verdict.gaps);
  const rest = groups.length - MOST_GAPS;
  const lines = groups.slice(0, MOST_GAPS).map(gapWords);
  return each('gaps', rest > 0 ? [...lines, `and ${rest} more kinds`] : lines, 'none');
};

const gapWords = ({ layer, why, count, from, until }: GapGroup): string =>
  `${layer}, ${count} of its answers missing between ${clock(from)} and ${clock(until)}: ${why}`;

const traffic = ({ traffic: { sent, answered, failed, connections, saturated } }: Verdict): string[] =>
  labelled(
    'traffic',
    `${sent} sent over ${connections} connection${connections === 1 ? '' : 's'}, ${answered} answered, ${failed} failed${saturated ? `; the client was saturated: ${saturated}` : ''}`,
  );

const fused = ({ fused: { grade, suspects } }: Verdict): string[] => {
  const lines = suspects
    .slice(0, MOST_SUSPECTS)
    .map(({ ref, kind, score, layers }) => `${ref} ${kind}, score ${score.toFixed(2)}, by ${layers.join(', ')}`);
  return each('together', [grade, ...lines], '');
};

const origin = ({ seed, runId, target, platform, ledgerSha256 }: Verdict): string[] =>
  labelled(
    'run',
    `${runId}, seed ${seed}, target ${target}, platform ${platform}, ledger ${ledgerSha256.slice(0, 12)}`,
  );

/** The label before the first, nothing before the others. */
const each = (label: string, items: readonly string[], none: string): string[] =>
  (items.length > 0 ? items : [none]).flatMap((item, n) => labelled(n === 0 ? label : '', item));

const labelled = (label: string, says: string): string[] => {
  const [first, ...rest] = wrap(says, LABEL);
  return [label.padEnd(LABEL) + (first ?? '').trimStart(), ...rest];
};

/** Lines of at most WIDTH, indented; words that are longer than a line are broken. */
const wrap = (says: string, indent: number): string[] => {
  const room = WIDTH - indent;
  const words = oneLine(says).match(new RegExp(`\\S{1,${room}}`, 'g')) ?? [];
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= room) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((one) => ' '.repeat(indent) + one);
};

const cut = (says: string, width: number): string => {
  const one = oneLine(says);
  return one.length > width ? `${one.slice(0, width - 3)}...` : one;
};

// What a backend answered may hold line breaks and escape codes; a terminal must see neither.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]+/g;
const oneLine = (says: string): string => says.replace(CONTROL, ' ');
