// Bad surroundings: whatever the machine lacks is told in one line, with the right exit code, and nothing is left behind.
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { until } from '../src/poll.ts';
import { run, start } from '../src/process.ts';
import { mayUnshare, whyNot } from '../src/targets/lab/namespaces.ts';

const CLI = [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  resolve(import.meta.dirname, '../src/cli.ts'),
] as const;
/** What the lab needs of every Linux; nothing in here can fetch. */
const PROGRAMS = ['sh', 'mount', 'unshare', 'nsenter', 'tar', 'ls'];
/** Nobody listens there: what wants to leave the machine is refused at once. */
const NOWHERE = 'http://127.0.0.1:1';

/** A place of its own: few programs, an empty cache, a folder for temporary files, and a mark on every process. */
const place = async () => {
  const path = await mkdtemp(join(tmpdir(), 'surroundings-'));
  const at = (name: string): string => join(path, name);
  const mark = randomUUID();
  await Promise.all(['bin', 'tmp', 'cache'].map((name) => mkdir(at(name))));
  for (const name of PROGRAMS) await symlink(await which(name), join(at('bin'), name));
  const env = {
    PATH: at('bin'),
    FIREDRILL_CACHE: at('cache'),
    TMPDIR: at('tmp'),
    HTTPS_PROXY: NOWHERE,
    NO_PROXY: '',
    MARK: mark,
  };
  return { at, env, mark, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
};
type Place = Awaited<ReturnType<typeof place>>;

const which = async (name: string): Promise<string> => (await run({ name, argv: ['which', name] })).trim();

/** Puts a program of ours in front of the machine's. */
const fake = async (where: Place, name: string, body: string): Promise<void> => {
  const file = join(where.at('bin'), name);
  await rm(file, { force: true });
  await writeFile(file, `#!/bin/sh\n${body}\n`);
  await chmod(file, 0o755);
};

const ran = async (argv: readonly string[], env: Readonly<Record<string, string>>) => {
  const running = await start({ name: 'firedrill', argv: argv as [string, ...string[]], env });
  let out = '';
  running.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  return { code: await running.ended, out, err: running.complaint() };
};
const firedrill = (args: readonly string[], env: Readonly<Record<string, string>>) => ran([...CLI, ...args], env);

/** Everything that the run started is gone, and so are its temporary files. */
const nothingLeft = async ({ at, mark }: Place): Promise<void> => {
  await until('end of its processes', async () => ((await marked(mark)).length === 0 ? true : null), {
    forMs: 5000,
    everyMs: 50,
  });
  expect(await readdir(at('tmp'))).toEqual([]);
};

const marked = async (mark: string): Promise<string[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const environments = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')));
  return pids.filter((_, n) => environments[n]!.includes(mark));
};

/** What it said after its progress: that must be one line. */
const lastLine = (err: string): string => err.split('\n').at(-1) ?? '';

/** A skipped test says why in its own name. */
const because = (why: string | null): string => (why ? ` # ${why}` : '');
const noNamespaces = await mayUnshare().then(
  () => null,
  (error: Error) => error.message,
);
const inNamespaces = noNamespaces ? test.skip : test;
const noLab = await firedrill(['doctor'], {}).then(({ code, out }) =>
  code === 0 ? null : (/^BAD.*$/m.exec(out)?.[0] ?? 'doctor is not content'),
);
const inLab = noLab ? test.skip : test;

describe('a machine that lets nobody make namespaces', () => {
  const REFUSES = 'echo "unshare: unshare failed: Operation not permitted" >&2; exit 1';

  test('is refused by run, with the settings to change', async () => {
    await using where = await place();
    await fake(where, 'unshare', REFUSES);
    const { code, err } = await firedrill(['run', 'control', '--out', where.at('out')], where.env);
    expect(code).toBe(2);
    expect(lastLine(err)).toMatch(/^firedrill: .*namespaces.*as root.*sysctl -w/);
    await nothingLeft(where);
  });

  test('is told so by doctor', async () => {
    await using where = await place();
    await fake(where, 'unshare', REFUSES);
    const { code, out } = await firedrill(['doctor'], where.env);
    expect(code).toBe(2);
    expect(out).toMatch(/^BAD +namespaces .*sysctl -w/m);
  });

  test('without the program for it, is told which package has it', async () => {
    await using where = await place();
    await rm(join(where.at('bin'), 'unshare'));
    const { code, err } = await firedrill(['run', 'control', '--out', where.at('out')], where.env);
    expect(code).toBe(2);
    expect(lastLine(err)).toMatch(/^firedrill: .*unshare.*install util-linux$/);
  });

  test.each([
    ['kernel.unprivileged_userns_clone', '0', '1'],
    ['user.max_user_namespaces', '0', '10000'],
    ['kernel.apparmor_restrict_unprivileged_userns', '1', '0'],
  ])('because of %s hears of that one alone', async (guilty, value, mended) => {
    const harmless: Record<string, string> = { 'user.max_user_namespaces': '63000' };
    const said = await whyNot('refused', async (name) => (name === guilty ? value : (harmless[name] ?? null)));
    expect(said).toBe(`${guilty} is ${value}; as root: sysctl -w ${guilty}=${mended}`);
  });
});

describe('a machine without Prometheus', () => {
  inNamespaces(
    `that can't fetch it either, says where it looked and what to install${because(noNamespaces)}`,
    async () => {
      await using where = await place();
      const { code, err } = await firedrill(['run', 'control', '--out', where.at('out')], where.env);
      expect(code).toBe(2);
      expect(lastLine(err)).toMatch(/^firedrill: .*prometheus.*not on PATH.*install it with your system's packages/);
      const [shelf] = await readdir(where.at('cache'));
      expect(await readdir(join(where.at('cache'), shelf!))).toEqual([]);
      expect(await readdir(where.at('out'))).toEqual([]);
      await nothingLeft(where);
    },
  );

  inNamespaces(
    `and with a cache that can't be written, names the variable that moves it${because(noNamespaces)}`,
    async () => {
      await using where = await place();
      await writeFile(where.at('file'), '');
      const env = { ...where.env, FIREDRILL_CACHE: join(where.at('file'), 'cache') };
      const { code, err } = await firedrill(['run', 'control', '--out', where.at('out')], env);
      expect(code).toBe(2);
      expect(lastLine(err)).toMatch(/^firedrill: the cache folder .* can't be written .*FIREDRILL_CACHE/);
      await nothingLeft(where);
    },
  );
});

describe('reports that have no place to go', () => {
  test('are refused before anything is started', async () => {
    await using where = await place();
    await writeFile(where.at('file'), '');
    const { code, err } = await firedrill(['run', 'control', '--out', where.at('file')], where.env);
    expect(code).toBe(64);
    expect(err).toMatch(/^firedrill: --out [^\n]*reports can't be put there \([^\n]*\)$/);
    await nothingLeft(where);
  });

  test('leave no half of a verdict behind', async () => {
    await using where = await place();
    const stored = where.at('stored');
    await mkdir(join(stored, 'verdict.json'), { recursive: true });
    const { out } = await firedrill(['plan', 'control', '--json'], {});
    await writeFile(join(stored, 'plan.json'), JSON.stringify(JSON.parse(out)[0]));
    await writeFile(join(stored, 'history.ndjson'), '{"at":"2026-11-21T07:00:00.000000000Z","type":"ended"}\n');
    for (const name of ['ledger.ndjson', 'evidence.ndjson']) await writeFile(join(stored, name), '');
    const { code, err } = await firedrill(['judge', stored], {});
    expect(code).toBe(2);
    expect(err).toMatch(/^firedrill: [^\n]*verdict\.json can't be written: [^\n]*$/);
    expect(await readdir(stored)).not.toContain('verdict.json.part');
  });

  test('nor does output that nobody reads make a stack', async () => {
    const { out, err } = await ran(['sh', '-c', '"$@" | true', 'sh', ...CLI, 'plan'], {});
    expect({ out, err }).toEqual({ out: '', err: '' });
  });

  test('output to a full disk is exit code 2', async () => {
    const { code, err } = await ran(['sh', '-c', '"$@" > /dev/full', 'sh', ...CLI, 'plan'], {});
    expect(code).toBe(2);
    expect(err).toMatch(/^firedrill: ENOSPC[^\n]*$/);
  });

  inLab(
    `end the run when the disk is full: healed, no half report, the lab gone${because(noLab)}`,
    async () => {
      await using where = await place();
      await mkdir(where.at('out'));
      await writeFile(where.at('short.ts'), SHORT);
      const { PATH: _path, FIREDRILL_CACHE: _cache, ...env } = where.env;
      const script =
        'out=$1; shift; mount -t tmpfs -o size=128k none "$out" && "$@" --out "$out" 1>&2; code=$?; ls -R "$out"; exit $code';
      const own = ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh', where.at('out')];
      const { code, out, err } = await ran([...own, ...CLI, 'run', where.at('short.ts')], env);
      expect({ code, last: lastLine(err) }).toEqual({
        code: 2,
        last: expect.stringMatching(/^firedrill: the run was healed and ended, for it can't be stored in .*ENOSPC/),
      });
      expect(out).toContain('plan.json');
      expect(out).not.toMatch(/report\.html|verdict\.json|junit\.xml|\.part/);
      await nothingLeft(where);
    },
    60_000,
  );
});

const SHORT = `import { scenario } from 'firedrill';
export default scenario('the disk fills up', { platform: 'tracing-pair', traffic: { rate: '40/s' }, warmUp: '5s', baseline: '20s' });
`;

inLab(
  `a lab whose standard port is taken names it and the way out${because(noLab)}`,
  async () => {
    await using where = await place();
    const { PATH: _path, FIREDRILL_CACHE: _cache, ...env } = where.env;
    const server = createServer();
    // When somebody else has the port, it is taken all the same.
    await new Promise<void>((resolve) => server.once('error', () => resolve()).listen(16686, '127.0.0.1', resolve));
    const { code, err } = await firedrill(['lab', 'up', '--platform', 'tracing-pair', '--rate', '0'], env);
    expect(code).toBe(2);
    expect(lastLine(err)).toMatch(/^firedrill: port 16686 on 127\.0\.0\.1 is taken.*--any-port/);
    await nothingLeft(where);
    await new Promise((resolve) => server.close(resolve));
  },
  60_000,
);
