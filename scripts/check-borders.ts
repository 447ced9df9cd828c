// The borders: a stage may import only what stands to its left, and an analyzer nothing but nouns. Run by `npm run borders`.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const SRC = fileURLToPath(new URL('../src/', import.meta.url));

type Rule = { readonly who: RegExp; readonly mayNot: RegExp; readonly because: string };

/** Type-only imports of data count too: what a stage can name it can come to know. */
const RULES: readonly Rule[] = [
  { who: /^model\.ts$/, mayNot: /./, because: 'the nouns import nothing' },
  {
    who: /^layers\/[^/]+\/(?!adapter|api|matrix|client|wire|item|file|capture|recorded)/,
    mayNot:
      /^(faults|targets|commands|reporters|traffic)\/|^(scenario|plan|run|history|times|evidence|arrival|sentinel|verdict|report|drill|expect)\.ts$/,
    because: 'an analyzer is blind: it knows no fault, no plan and no history',
  },
  {
    who: /^layers\//,
    mayNot:
      /^(faults|commands|reporters)\/|^targets\/|^(scenario|plan|run|history|times|evidence|arrival|sentinel|verdict|report|drill|expect)\.ts$/,
    because: 'a layer knows a wire format and nouns, nothing of the drill',
  },
  {
    who: /^(scenario|expect)\.ts$/,
    mayNot: /^(layers|targets|commands|reporters)\/|^(plan|run|history|times|evidence|verdict|report|drill)\.ts$/,
    because: 'a scenario is data',
  },
  {
    who: /^plan\.ts$/,
    mayNot:
      /^(layers|commands|reporters)\/|^targets\/(lab|kubernetes)\/|^(run|history|times|evidence|verdict|report|drill|process|poll)\.ts$/,
    because: 'a plan does not know how to act',
  },
  {
    who: /^run\.ts$/,
    mayNot:
      /^(layers|commands|reporters)\/|^targets\/(lab|kubernetes)\/|^(evidence|verdict|report|drill|analyzers|adapters)\.ts$/,
    because: 'the run does not know what counts as detection',
  },
  {
    who: /^evidence\.ts$/,
    mayNot:
      /^(faults|commands|reporters|targets)\/|^(scenario|plan|run|history|times|verdict|report|drill|analyzers)\.ts$/,
    because: 'evidence does not know what the fault was',
  },
  {
    who: /^verdict\.ts$/,
    mayNot: /^(commands|reporters|targets)\/|^layers\/.*adapter\.ts$|^(run|report|drill|adapters|poll|process)\.ts$/,
    because: 'the verdict does not know how to query',
  },
  {
    who: /^reporters\//,
    mayNot: /^(commands|targets)\/|^layers\/.*adapter\.ts$|^(run|drill|adapters|process|poll)\.ts$/,
    because: 'a report is made of a verdict',
  },
  {
    who: /^faults\//,
    mayNot:
      /^(layers|commands|reporters)\/|^targets\/(lab|kubernetes)\/|^(run|history|times|evidence|verdict|report|drill)\.ts$/,
    because: 'a fault knows the target’s contract and nothing else',
  },
  {
    who: /^targets\//,
    mayNot:
      /^(commands|reporters)\/|^layers\/.*analyzer\.ts$|^(scenario|plan|run|history|times|evidence|verdict|report|drill|expect)\.ts$/,
    because: 'a target knows nothing of scenarios and verdicts',
  },
  {
    who: /^traffic\//,
    mayNot:
      /^(layers|commands|reporters|targets|faults)\/|^(scenario|plan|run|history|times|evidence|verdict|report|drill)\.ts$/,
    because: 'traffic knows only its own plan',
  },
];

/** Words that only one file may use. */
const ONLY: readonly { readonly where: RegExp; readonly word: RegExp; readonly because: string }[] = [
  { where: /^process\.ts$/, word: /from 'node:child_process'/, because: 'src/process.ts is the one place that spawns' },
  {
    where: /^time\.ts$/,
    word: /\bDate\.now\(|\bperformance\.now\(|\bnew Date\(\)/,
    because: 'src/time.ts is the one clock',
  },
  {
    where: /^(?!layers\/)|\/(adapter|api|matrix|client|capture|tcp|recorded)\.ts$/,
    word: /\bsystemClock\b/,
    because: 'an analyzer knows no clock',
  },
];

const files = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((one) =>
    one.isDirectory() ? files(join(folder, one.name)) : one.name.endsWith('.ts') ? [join(folder, one.name)] : [],
  );

const imports = (text: string): string[] =>
  [...text.matchAll(/(?:from|import\(|import)\s*'(\.[^']+)'/g)].map((match) => match[1]!);

const trespasses = (file: string): string[] => {
  const name = relative(SRC, file);
  const text = readFileSync(file, 'utf8');
  const targets = imports(text).map((to) => relative(SRC, normalize(join(dirname(file), to))));
  const bad = RULES.filter(({ who }) => who.test(name)).flatMap(({ mayNot, because }) =>
    targets.filter((to) => mayNot.test(to)).map((to) => `src/${name} imports ${to}: ${because}`),
  );
  const words = ONLY.filter(
    ({ where, word }) => !where.test(name) && word.test(text.replace(/import type[^;]*;/g, '')),
  ).map(({ because }) => `src/${name}: ${because}`);
  return [...bad, ...words];
};

const found = files(SRC).flatMap(trespasses);
for (const line of found) console.error(line);
console.log(found.length === 0 ? 'borders hold' : `${found.length} trespasses`);
process.exitCode = found.length === 0 ? 0 : 1;
