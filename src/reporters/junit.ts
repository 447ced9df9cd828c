// JUnit XML, the dialect that Jenkins, GitLab and GitHub's readers share (the jenkins-junit.xsd of the xunit plugin).
import { gradeAtLeast } from '../expect.ts';
import { LAYERS, type LayerName } from '../model.ts';
import type { LayerVerdict, Outcome, Verdict } from '../verdict.ts';
import { blamed, bracket, headline } from './words.ts';

/**
 * What became of a test case. A failure says something about the observability under test; an error, that nothing can be
 * said; skipped, that the drill never got so far. One cause is one error: what hangs on it is skipped, or a dead backend would
 * be counted once for every layer.
 */
type Result = { readonly is: 'passed' } | { readonly is: 'failure' | 'error' | 'skipped'; readonly why: string };

type Case = {
  readonly name: string;
  readonly result: Result;
  /** Seconds until the layer had certainly noticed: the upper end of the bracket. */
  readonly seconds: number;
  readonly output: string;
  readonly type: Outcome;
};

const PASSED: Result = { is: 'passed' };

/**
 * One suite a scenario. Its cases: `drill` (could it be judged, and was there no false alarm), `healed`, each layer of which
 * the scenario demands a grade, and each of its expectations.
 */
export const junit = (verdicts: readonly Verdict[]): string =>
  [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${attributes({ name: 'firedrill', ...counts(verdicts.flatMap(casesOf)) })}>`,
    ...verdicts.map(suite),
    '</testsuites>',
    '',
  ].join('\n');

const suite = (verdict: Verdict): string => {
  const cases = casesOf(verdict);
  // The dialect's timestamps carry no zone; ours are UTC.
  const started = verdict.groundTruth.from ? { timestamp: verdict.groundTruth.from.slice(0, 19) } : {};
  return [
    `  <testsuite ${attributes({ name: verdict.scenario, ...counts(cases), ...started })}>`,
    properties(verdict),
    ...cases.map((one) => testcase(verdict, one)),
    '  </testsuite>',
  ].join('\n');
};

const counts = (cases: readonly Case[]): Record<string, string | number> => {
  const number = (is: Result['is']): number => cases.filter(({ result }) => result.is === is).length;
  const time = cases.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(3);
  return {
    tests: cases.length,
    failures: number('failure'),
    errors: number('error'),
    skipped: number('skipped'),
    time,
  };
};

const properties = ({ seed, runId, target, platform, outcome, ledgerSha256 }: Verdict): string => {
  const all = Object.entries({ seed, runId, target, platform, outcome, ledgerSha256 });
  const lines = all.map(([name, value]) => `      <property ${attributes({ name, value })}/>`);
  return ['    <properties>', ...lines, '    </properties>'].join('\n');
};

const testcase = ({ scenario }: Verdict, { name, result, seconds, output, type }: Case): string => {
  const head = `    <testcase ${attributes({ classname: scenario, name, time: seconds.toFixed(3) })}>`;
  const said = `      <system-out>${escapeXml(output)}</system-out>`;
  return [head, ...children(result, type), ...(output ? [said] : []), '    </testcase>'].join('\n');
};

const children = (result: Result, type: Outcome): string[] => {
  if (result.is === 'passed') return [];
  if (result.is === 'skipped') return [`      <skipped ${attributes({ message: result.why })}/>`];
  const { is, why } = result;
  return [`      <${is} ${attributes({ message: why, type })}>${escapeXml(why)}</${is}>`];
};

// ---- From a verdict to cases -------------------------------------------------------------------------------------

const casesOf = (verdict: Verdict): Case[] => {
  const demanded = LAYERS.filter((layer) => verdict.layers[layer].wanted !== null);
  const plain = { seconds: 0, output: '', type: verdict.outcome };
  return [
    { ...plain, name: 'drill', result: drill(verdict), output: verdict.because },
    ...(verdict.groundTruth.on === null ? [] : [{ ...plain, name: 'healed', result: healed(verdict) }]),
    ...demanded.map((layer) => layerCase(verdict, layer)),
    ...verdict.expectations.map((one) => ({
      ...plain,
      name: one.says,
      result: judged(verdict) ?? expectation(one),
      output: [one.why, ...one.evidence].join('\n'),
    })),
  ];
};

/** A control fails here, for its demands are none; any other failing drill fails in the case that it fails for. */
const drill = ({ outcome, because, groundTruth }: Verdict): Result => {
  if (outcome === 'pass') return PASSED;
  if (outcome === 'fail') return groundTruth.on === null ? { is: 'failure', why: because } : PASSED;
  return { is: outcome === 'still-broken' ? 'skipped' : 'error', why: `${headline(outcome)}: ${because}` };
};

const healed = ({ outcome, because, groundTruth }: Verdict): Result => {
  if (outcome === 'still-broken') return { is: 'failure', why: because };
  if (groundTruth.from === null) return { is: 'skipped', why: 'nothing was injected' };
  return groundTruth.healedAt ? PASSED : { is: 'error', why: 'the history has no word of the healing' };
};

/** Null when the drill says something about its layers; else why they are all skipped. */
const judged = ({ outcome }: Verdict): Result | null =>
  outcome === 'pass' || outcome === 'fail' ? null : { is: 'skipped', why: `not judged: ${headline(outcome)}` };

const layerCase = (verdict: Verdict, layer: LayerName): Case => {
  const it = verdict.layers[layer];
  const says = [`${it.grade} in ${bracket(it.timeToDetect)}`, `blames ${blamed(it) ?? 'nobody'}`, it.why];
  return {
    name: `${layer} is ${it.wanted}`,
    result: judged(verdict) ?? graded(verdict, layer, it),
    seconds: (it.timeToDetect?.atMost ?? 0) / 1000,
    output: says.join('\n'),
    type: verdict.outcome,
  };
};

const graded = ({ gaps }: Verdict, layer: LayerName, { grade, wanted, why }: LayerVerdict): Result => {
  if (wanted === null || gradeAtLeast(grade, wanted)) return PASSED;
  const gap = gaps.find((one) => one.layer === layer);
  return gap ? { is: 'error', why: `${grade}, with gaps: ${gap.why}` } : { is: 'failure', why: `${grade}: ${why}` };
};

const expectation = ({ holds, why }: Verdict['expectations'][number]): Result =>
  holds ? PASSED : { is: holds === null ? 'error' : 'failure', why };

// ---- XML ---------------------------------------------------------------------------------------------------------

const attributes = (all: Readonly<Record<string, string | number>>): string =>
  Object.entries(all)
    .map(
      ([name, value]) => `${name}="${escapeXml(String(value)).replace(/[\t\n\r]/g, (c) => `&#${c.charCodeAt(0)};`)}"`,
    )
    .join(' ');

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

// XML 1.0, production 2 (Char): the characters that no escape can bring in either, and halves of surrogate pairs.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu;

const escapeXml = (text: string): string =>
  text.replace(FORBIDDEN, '\ufffd').replace(/[&<>"]/g, (character) => ENTITIES[character]!);
