// The tool itself, with bad input and with commands that touch nothing. No test here brings a lab up.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { FILES } from '../src/stored.ts';
import { firedrill, type Said } from './helpers/cli.ts';
import { store } from './helpers/store.ts';
import { alertOn, injectedAt, planOf, storedRun } from './helpers/tiny.ts';

// Each test starts the tool, some of them a type check, on a machine that may be busy.
jest.setTimeout(30_000);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the tool in a folder that has these files and nothing else. */
const tool = async (argv: readonly string[], files: Readonly<Record<string, string>> = {}): Promise<Said> => {
  const cwd = await mkdtemp(join(folder, 'in-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text);
  const said = await firedrill(argv, { cwd });
  expect((await readdir(cwd)).sort()).toEqual(Object.keys(files).sort());
  return said;
};

/** Bad input: exit code 64, one line on standard error, nothing else, nothing written. */
const refused = async (argv: readonly string[], files: Readonly<Record<string, string>> = {}): Promise<string> => {
  const { code, out, err } = await tool(argv, files);
  expect({ code, out, lines: err.split('\n').length }).toEqual({ code: 64, out: '', lines: 2 });
  expect(err).not.toMatch(/\n\s+at /);
  return err.trimEnd();
};

const drill = (body: string): string =>
  `import { latency, networkPolicy, podKill, scenario } from 'firedrill';\n\nexport default scenario('a drill', {\n  ${body}\n});\n`;

const SHOP = `import { platform } from 'firedrill';
export default platform({
  name: 'shop', entry: 'web',
  components: {
    web: { endpoints: { 'GET /': { work: '1ms', calls: [{ to: 'CALLED', request: 'GET /' }] } } },
    stock: { endpoints: { 'GET /': { work: '1ms' } } },
    idle: { endpoints: { 'GET /': { work: '1ms' } } },
  },
  journeys: { look: [{ request: 'GET /', at: '0ms' }] },
});
`;
const shop = (called = 'stock'): string => SHOP.replace('CALLED', called);

describe('a scenario that can’t be had is refused in one line', () => {
  test.each(['run', 'plan'])('%s with a name that nobody knows lists those that there are', async (command) => {
    expect(await refused([command, 'nonsense'])).toMatch(
      /^firedrill: no scenario 'nonsense': neither a file nor one of .*killed-order-service/,
    );
  });

  test('a file that exports none', async () => {
    expect(await refused(['run', './x.ts'], { 'x.ts': 'export const other = 1;\n' })).toMatch(
      /x\.ts: does not export a scenario; write export default scenario\(/,
    );
  });

  test('a syntax error, with its line', async () => {
    expect(await refused(['run', './x.ts'], { 'x.ts': drill("hold: '20s',\n  fault: {{ );") })).toMatch(/x\.ts:5: /);
  });

  test('a name that firedrill does not export, with its name', async () => {
    expect(
      await refused(['run', './x.ts'], {
        'x.ts': "import { podkill } from 'firedrill';\nexport default podkill('a');\n",
      }),
    ).toContain("'podkill'");
  });

  test.each([
    ["hold: '20'", "scenario 'a drill': hold: '20' is not a duration such as 250ms, 20s or 2m"],
    ['hold: 20', "scenario 'a drill': hold: 20 is not a duration such as 250ms, 20s or 2m"],
    ["hodl: '20s'", 'scenario: Unrecognized key: "hodl"'],
    [
      "fault: podKill('order-service', { pods: 'three' })",
      "fault.pods: must be a whole number of pods, a share such as '50%', or 'all'",
    ],
    ["fault: latency('market-data', '300')", "latency: '300' is not a duration"],
    ["expect: { trace: 'located' }", 'expect: Unrecognized key: "trace"'],
  ])('%s, with its field', async (body, words) => {
    expect(await refused(['run', './x.ts'], { 'x.ts': drill(body) })).toContain(words);
  });

  test('one of several, before any of them is run', async () => {
    const files = { 'a.mjs': drill(''), 'b.mjs': drill("hold: '1'") };
    expect(await refused(['run', './a.mjs', './b.mjs'], files)).toContain('b.mjs');
  });
});

describe('a fault that does not fit the platform is refused in one line', () => {
  test.each([
    ["fault: podKill('shoes')", "platform trading has no component 'shoes'; it has: "],
    [
      "fault: networkPolicy('market-data->api-gateway')",
      'platform trading has no edge market-data->api-gateway; it has: ',
    ],
    ["fault: podKill('order-service', { pods: 99 })", 'podKill wants 99 pods of order-service, which has '],
  ])('%s', async (body, words) => {
    expect(await refused(['run', './x.mjs'], { 'x.mjs': drill(body) })).toContain(words);
  });

  test('one that no request comes by', async () => {
    const files = { 'x.mjs': drill("fault: podKill('idle')"), 'shop.mjs': shop() };
    expect(await refused(['run', './x.mjs', '--platform', './shop.mjs'], files)).toContain(
      'the fault on service:idle would hit nothing: no request of the journeys look comes by it',
    );
  });
});

describe('a platform that can’t be had is refused in one line', () => {
  test('an unknown one, with those that there are', async () => {
    expect(await refused(['plan', 'control', '--platform', 'shoes'])).toMatch(
      /^firedrill: no platform 'shoes': neither a file nor one of .*trading/,
    );
  });

  test('one with a call that leads nowhere', async () => {
    expect(await refused(['run', 'control', '--platform', './shop.ts'], { 'shop.ts': shop('nowhere') })).toContain(
      "web GET / calls 'nowhere', which is not one of its components",
    );
  });

  test('one that is none', async () => {
    expect(
      await refused(['plan', 'control', '--platform', './shop.ts'], { 'shop.ts': 'export default 7;\n' }),
    ).toContain('does not export a platform profile');
  });
});

describe('a command line that makes no sense is refused in one line', () => {
  test.each([
    [['plan', 'control', '--sede', '1'], 'Unknown argument: sede'],
    [['run', 'control', '--seed', 'x'], '--seed must be one whole number, 0 or more'],
    [['plan', 'control', '--seed', '-1'], '--seed must be one whole number, 0 or more'],
    [['plan', 'control', '--seed', '1', '--seed', '2'], '--seed must be one whole number, 0 or more'],
    [['lab', 'up', '--seed', '1.5'], '--seed must be one whole number, 0 or more'],
    [['lab', 'up', '--rate', 'much'], '--rate must be one number from 0 to 1000'],
    [['lab'], 'say what to do with the lab: firedrill lab up'],
    [['lab', 'sideways'], 'Unknown'],
    [['run', 'control', '--target', 'moon'], 'Invalid values'],
    [['judge'], 'Not enough non-option arguments'],
  ])('%j', async (argv, words) => {
    const line = await refused(argv);
    expect(line.startsWith('firedrill: ')).toBe(true);
    expect(line).toContain(words);
  });
});

describe('judge', () => {
  const plan = planOf(undefined, { expect: { alerts: 'located' } });
  const run = storedRun({ plan, alerts: [alertOn('shop', injectedAt(plan) + 2_000_000_000n)] });
  let stored: string;

  beforeAll(async () => {
    stored = await mkdtemp(join(folder, 'run-'));
    await store(stored, run);
  });

  test('judges a stored run from its evidence: the same verdict each time, its outcome as exit code', async () => {
    const first = await firedrill(['judge', stored, '--json'], { cwd: folder });
    const verdict = await readFile(join(stored, FILES.verdict), 'utf8');
    const second = await firedrill(['judge', stored, '--json'], { cwd: folder });
    expect({ ...first, outcome: JSON.parse(first.out).outcome }).toEqual({
      ...second,
      code: 0,
      err: '',
      outcome: 'pass',
    });
    expect(await readFile(join(stored, FILES.verdict), 'utf8')).toBe(verdict);
    expect(first.out).toBe(verdict);
  });

  test('exits with 1 when the drill failed', async () => {
    const silent = await mkdtemp(join(folder, 'run-'));
    await store(silent, storedRun({ plan }));
    expect((await firedrill(['judge', silent], { cwd: folder })).code).toBe(1);
  });

  test.each([
    ['a folder that is not there', 'nowhere', async () => undefined, 'plan.json is missing'],
    ['a missing file', 'missing', (at: string) => rm(join(at, FILES.ledger)), 'ledger.ndjson is missing'],
    [
      'another schema',
      'schema',
      (at: string) => writeFile(join(at, FILES.plan), JSON.stringify({ ...plan, schema: 2 })),
      'plan.json: schema 2 is not one that this firedrill reads',
    ],
    [
      'a damaged line',
      'damaged',
      (at: string) => writeFile(join(at, FILES.evidence), '{"t":"look"\n'),
      'evidence.ndjson:1: not a line of evidence',
    ],
  ])('refuses %s, and writes nothing', async (_, name, damage, words) => {
    const at = join(folder, name);
    if (name !== 'nowhere') {
      await mkdir(at);
      await store(at, run);
    }
    await damage(at);
    const before = await readdir(at).catch(() => null);
    const { code, out, err } = await firedrill(['judge', at], { cwd: folder });
    expect({ code, out, lines: err.split('\n').length }).toEqual({ code: 64, out: '', lines: 2 });
    expect(err).toContain(words);
    expect(await readdir(at).catch(() => null)).toEqual(before);
  });
});

describe('without touching anything', () => {
  test('plan prints what a drill would do, when, and to whom', async () => {
    const { code, out, err } = await tool(['plan', 'killed-order-service', '--seed', '7']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const words of [
      'a killed order-service is noticed',
      'seed 7',
      'hurts',
      'order-service killed',
      'crossing',
      'hold',
      'wanted',
    ])
      expect(out).toContain(words);
  });

  test('plan --json prints plans that are data', async () => {
    const [one, two] = JSON.parse((await tool(['plan', 'control', 'blocked-edge', '--json'])).out);
    expect(one).toMatchObject({ schema: 1, fault: { kind: 'none' }, crossing: null });
    expect(two).toMatchObject({ fault: { kind: 'networkPolicy', on: 'edge:risk-service->portfolio-service' } });
  });

  test('plan takes a scenario and a platform from anywhere', async () => {
    const files = { 'x.ts': drill("fault: podKill('stock'), traffic: { rate: '5/s' }"), 'shop.ts': shop() };
    const { code, out } = await tool(['plan', './x.ts', '--platform', './shop.ts'], files);
    expect(code).toBe(0);
    expect(out).toContain('platform shop');
  });

  test('list names scenarios and platforms', async () => {
    const { code, out } = await tool(['list']);
    expect(code).toBe(0);
    expect(out).toMatch(/killed-order-service +a killed order-service is noticed +podKill on order-service/);
    expect(out).toMatch(/platforms\n.*trading/);
  });

  test.each(
    [
      [],
      ['run'],
      ['plan'],
      ['judge'],
      ['report'],
      ['heal'],
      ['doctor'],
      ['rbac'],
      ['list'],
      ['lab'],
      ['lab', 'up'],
    ].map((argv) => [argv]),
  )('%j --help tells how it is used', async (argv) => {
    const { code, out, err } = await tool([...argv, '--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(['firedrill', ...argv].join(' '));
    expect(out).toContain('--help');
  });
});
