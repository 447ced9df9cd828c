// The package as a user gets it: packed, unpacked into an empty project, with nothing beside it but its dependencies.

import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { run, start } from '../src/process.ts';
import { firstLine } from '../src/targets/lab/acts.ts';

const ROOT = resolve(import.meta.dirname, '..');
const PATH = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`;

const SCENARIO = `import { latency, promql, scenario } from 'firedrill';

export default scenario('a slow shelf is noticed', {
  fault: latency('web->shelf', '300ms'),
  expect: { traces: 'located', also: [promql('up').atLeast(1)] },
});
`;
const PLATFORM = `import { platform } from 'firedrill';

export default platform({
  name: 'shop',
  entry: 'web',
  components: {
    web: { endpoints: { 'GET /shelf': { work: '2ms', calls: [{ to: 'shelf', request: 'GET /books' }] } } },
    shelf: { endpoints: { 'GET /books': { work: '5ms' } } },
  },
  journeys: { browse: [{ request: 'GET /shelf', at: '0ms' }] },
});
`;
const GATE = `import { type Duration, type Scenario, scenario, type Verdict } from 'firedrill';
import schema from 'firedrill/verdict.schema.json' with { type: 'json' };
import own from './scenarios/own.ts';

export const passed = (one: Verdict): boolean => one.outcome === 'pass' && schema.title.length > 0;
export const hold: Duration = '2m';
export const mine: Scenario = own;
// @ts-expect-error A duration has a unit.
scenario('no unit', { hold: 20 });
`;
const TSCONFIG = {
  compilerOptions: {
    module: 'nodenext',
    target: 'es2024',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    types: [],
  },
  include: ['*.ts', 'scenarios'],
};

let project = '';
let packed: string[] = [];

/** What a program of the project wrote, and how it ended. */
const ran = async (argv: readonly [string, ...string[]]) => {
  const running = await start({ name: argv[0], argv, cwd: project, env: { PATH } });
  let out = '';
  running.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  return { code: await running.ended, out, err: running.complaint() };
};
const firedrill = (...args: string[]) => ran([join(project, 'node_modules/.bin/firedrill'), ...args]);
const evaluated = (script: string) => ran([process.execPath, '--input-type=module', '--eval', script]);
const dist = (path: string): string => join(project, 'node_modules/firedrill/dist', path);

const link = async (name: string): Promise<void> => {
  const place = join(project, 'node_modules', name);
  await mkdir(dirname(place), { recursive: true });
  await symlink(join(ROOT, 'node_modules', name), place);
};

/** As `npm install` would put it, but from the dependencies that are here: the ones it names and no others. */
const install = async (tarball: string): Promise<void> => {
  const modules = join(project, 'node_modules');
  await mkdir(join(modules, 'firedrill'), { recursive: true });
  await mkdir(join(modules, '.bin'));
  await run({ name: 'tar', argv: ['tar', '-xzf', tarball, '--strip-components=1', '-C', join(modules, 'firedrill')] });
  const { dependencies, bin } = JSON.parse(await readFile(join(modules, 'firedrill/package.json'), 'utf8'));
  await Promise.all(Object.keys(dependencies).map(link));
  await symlink(join('../firedrill', bin.firedrill), join(modules, '.bin/firedrill'));
};

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'package-'));
  const argv = ['npm', 'pack', '--json', '--loglevel=error', '--pack-destination', project] as const;
  const told = await run({ name: 'npm pack', argv: [...argv], cwd: ROOT, env: { PATH } });
  const [{ filename, files }] = JSON.parse(told.slice(told.search(/^\[/m)));
  packed = files.map(({ path }: { path: string }) => path);
  await install(join(project, filename));
  await mkdir(join(project, 'scenarios'));
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'theirs', private: true, type: 'module' }));
  await writeFile(join(project, 'scenarios/own.ts'), SCENARIO);
  await writeFile(join(project, 'shop.ts'), PLATFORM);
}, 60_000);

afterAll(() => rm(project, { recursive: true, force: true }));

describe('the package', () => {
  test('holds programs, declarations and their data, the licence, and nothing else', () => {
    const code = packed.filter((path) => /^dist\/(src|platforms|scenarios)\/.*\.js$|^dist\/src\/.*\.d\.ts$/.test(path));
    expect(packed.filter((path) => !code.includes(path)).sort()).toEqual([
      'LICENSE',
      'README.md',
      'dist/package.json',
      'dist/src/layers/flows/proto/flow/flow.proto',
      'dist/src/layers/flows/proto/observer/observer.proto',
      'dist/src/layers/flows/proto/relay/relay.proto',
      'dist/src/reporters/page/page.css',
      'dist/src/verdict.schema.json',
      'package.json',
    ]);
  });

  test('lists the shipped scenarios and platforms, and first of all the user’s own', async () => {
    const { code, out, err } = await firedrill('list');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('a slow shelf is noticed');
    expect(out).toContain('trading');
  });

  test('plans a shipped scenario by its name', async () => {
    const { code, out, err } = await firedrill('plan', 'killed-order-service');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('order-service');
  });

  test('plans a scenario of the user’s own, in TypeScript, on a platform of the user’s own', async () => {
    const { code, out, err } = await firedrill('plan', 'scenarios/own.ts', '--platform', 'shop.ts');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('web->shelf');
  });

  test('is there to be imported, with the verdict’s schema', async () => {
    const script = `import { scenario, platform } from 'firedrill';
      import schema from 'firedrill/verdict.schema.json' with { type: 'json' };
      console.log(typeof scenario, typeof platform, schema.title, Object.isFrozen(scenario('one two')));`;
    expect((await evaluated(script)).out.trim()).toBe('function function firedrill verdict true');
  });

  test('has types for a strict compiler that knows of nothing else', async () => {
    await writeFile(join(project, 'gate.ts'), GATE);
    await writeFile(join(project, 'tsconfig.json'), JSON.stringify(TSCONFIG));
    const { out } = await ran([process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc')]);
    expect(out).toBe('');
  });

  test('checks types once the project has a compiler, and does without one', async () => {
    const wrong = SCENARIO.replace("'300ms'", "'300ms', { hits: 'all' }");
    await writeFile(join(project, 'wrong.ts'), wrong);
    expect((await firedrill('plan', 'wrong.ts', '--platform', 'shop.ts')).code).toBe(0);
    await link('typescript');
    const { code, err } = await firedrill('plan', 'wrong.ts', '--platform', 'shop.ts');
    expect(code).toBe(64);
    expect(err).toMatch(/^firedrill: wrong\.ts:4: [^\n]*'hits' does not exist[^\n]*$/);
  });
});

describe('what the package runs or reads beside its code', () => {
  test('the programs of their own are where they are looked for', async () => {
    const asked = [
      'lab.js ./inside',
      'pods.js ./service',
      'acts.js ../../agent/probe',
      'acts.js ../../agent/delay-proxy',
      'inside.js ../../traffic/worker',
    ];
    const script = `import { accessSync } from 'node:fs';
      import { program } from '${dist('src/programs.js')}';
      for (const [from, name] of ${JSON.stringify(asked.map((one) => one.split(' ')))})
        accessSync(program(name, 'file://${dist('src/targets/lab/')}' + from).at(-1));`;
    expect(await evaluated(script)).toEqual({ code: 0, out: '', err: '' });
  });

  test('a probe knocks through a delay proxy, both as processes', async () => {
    const server = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const to = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    const settings = {
      listen: { host: '127.0.0.1', port: 0 },
      to,
      addMs: 80,
      jitterMs: 0,
      tag: null,
      seed: 1,
      forMs: 30_000,
    };
    const argv = [process.execPath, dist('src/agent/delay-proxy.js'), JSON.stringify(settings)] as const;
    await using proxy = await start({ name: 'delay proxy', argv: [...argv] });
    const url = `http://127.0.0.1:${JSON.parse(await firstLine(proxy)).listening}/`;
    const probe = await ran([
      process.execPath,
      dist('src/agent/probe.js'),
      JSON.stringify({ url, tag: null, timeoutMs: 5000 }),
    ]);
    expect(JSON.parse(probe.out)).toMatchObject({ outcome: 'answered' });
    expect(JSON.parse(probe.out).ms).toBeGreaterThanOrEqual(80);
    await new Promise((resolve) => server.close(resolve));
  });

  test('Hubble’s protocol loads', async () => {
    const script = `import { observerService } from '${dist('src/layers/flows/wire.js')}';
      console.log(Object.keys(observerService()).includes('GetFlows'));`;
    expect((await evaluated(script)).out.trim()).toBe('true');
  });

  test('a stored run becomes a page with the style and the scripts in it', async () => {
    const folder = join(project, 'stored');
    await mkdir(folder);
    const { out } = await firedrill('plan', 'control', '--json');
    await writeFile(join(folder, 'plan.json'), JSON.stringify(JSON.parse(out)[0]));
    await writeFile(join(folder, 'history.ndjson'), '{"at":"2026-11-21T07:00:00.000000000Z","type":"ended"}\n');
    await writeFile(join(folder, 'ledger.ndjson'), '');
    await writeFile(join(folder, 'evidence.ndjson'), '');
    expect((await firedrill('judge', folder)).code).toBe(2);
    expect(await firedrill('report', folder)).toMatchObject({ code: 0, err: '' });
    const page = await readFile(join(folder, 'report.html'), 'utf8');
    expect(page).toContain((await readFile(dist('src/reporters/page/page.css'), 'utf8')).slice(0, 200));
    expect(page).toContain('uPlot');
  });
});
