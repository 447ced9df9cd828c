import { chmod, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type ToolOptions, tool, tools } from '../src/tools.ts';
import { temporary } from './targets/lab/backends.ts';

const script = async (folder: string, name: string, body: string): Promise<void> => {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), `#!/bin/sh\n${body}\n`);
  await chmod(join(folder, name), 0o755);
};
const answers = (version: string): string => `echo "a tool, version ${version} (branch: x)"`;

/** Of tcpdump there is no release to fall back on, so that no test asks anybody outside. An apt that "downloads" one package whose program is a script, and a dpkg-deb that unpacks it. */
const fakeDebian = async (bin: string, update = ':', unpack = ':'): Promise<void> => {
  await script(
    bin,
    'apt-get',
    `case "$*" in
    *" update"*) ${update} ;;
    *--print-uris*) echo "'http://deb/t.deb' tcpdump_1%3a2.0-1_amd64.deb 1 MD5Sum:x"; echo "'http://deb/j.deb' libjs_1_all.deb 1 x" ;;
    *download*) for one in "$@"; do last=$one; done; echo "$last" > got.deb ;;
  esac`,
  );
  await script(
    bin,
    'dpkg-deb',
    `${unpack}
    [ "$(cat "$2")" = tcpdump:amd64 ] || exit 9
    mkdir -p "$3/usr/bin" "$3/usr/lib/x"; touch "$3/usr/lib/x/liba.so.1"
    printf '#!/bin/sh\\n[ -n "$LD_LIBRARY_PATH" ] && echo tcpdump version 2.0.0\\n' > "$3/usr/bin/tcpdump"
    chmod +x "$3/usr/bin/tcpdump"`,
  );
};

/** What the machine itself has in its folders is nothing to these tests, but for what a script cannot do without. */
const sbin: readonly string[] = [];
const PLAIN = ['sh', 'cat', 'chmod', 'mkdir', 'touch'];

const place = async () => {
  const dir = await temporary();
  const bin = join(dir.path, 'bin');
  const plain = join(dir.path, 'plain');
  const cache = join(dir.path, 'cache');
  await mkdir(plain);
  await Promise.all(PLAIN.map((name) => symlink(join('/bin', name), join(plain, name))));
  const env = { PATH: [bin, plain].join(delimiter), FIREDRILL_CACHE: cache };
  return { bin, cache, env, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
};
const bundlesIn = async (cache: string): Promise<string[]> => {
  const [shelf] = await readdir(cache);
  return readdir(join(cache, shelf!));
};
const failure = async (name: Parameters<typeof tool>[0], options: ToolOptions): Promise<string> => {
  const error = await tool(name, options).catch((thrown: Error) => thrown);
  expect(error).toMatchObject({ name: 'Unreachable' });
  expect((error as Error).message).not.toContain('\n');
  return (error as Error).message;
};

describe('a tool on PATH', () => {
  test('is taken as it is, by either of its names', async () => {
    await using at = await place();
    await script(at.bin, 'prometheus-alertmanager', answers('0.25.0'));
    const found = await tool('alertmanager', { env: at.env, sbin });
    expect(found).toEqual({
      path: join(at.bin, 'prometheus-alertmanager'),
      env: {},
      version: '0.25.0',
      source: 'PATH',
    });
  });

  test('may say its version on standard error', async () => {
    await using at = await place();
    await script(at.bin, 'tcpdump', 'echo "tcpdump version 4.99.3" >&2');
    expect((await tool('tcpdump', { env: at.env, sbin })).version).toBe('4.99.3');
  });

  test('that does not run is passed over for one that does', async () => {
    await using at = await place();
    const other = `${at.bin}-other`;
    await script(at.bin, 'nft', 'echo cannot open shared object file >&2; exit 127');
    await script(other, 'nft', 'echo "nftables v1.0.6"');
    const env = { ...at.env, PATH: [at.bin, other].join(delimiter) };
    expect((await tool('nft', { env, sbin })).path).toBe(join(other, 'nft'));
  });
});

describe("a tool from Debian's packages", () => {
  test('is fetched once, with its libraries, and found in the cache from then on', async () => {
    await using at = await place();
    await fakeDebian(at.bin);
    const lines: string[] = [];
    const first = await tool('tcpdump', { env: at.env, sbin, onProgress: (line) => lines.push(line) });
    expect(first).toMatchObject({ version: '2.0.0', source: 'debian package' });
    expect(first.env.LD_LIBRARY_PATH?.split(':')[0]).toBe(join(first.path, '../../lib/x'));
    expect(lines).toEqual(["fetching tcpdump from Debian's packages ..."]);
    expect(await tool('tcpdump', { env: at.env, sbin })).toEqual({ ...first, source: 'cache' });
    expect(await bundlesIn(at.cache)).toHaveLength(1);
  });

  test('can be fetched by two at once', async () => {
    await using at = await place();
    await fakeDebian(at.bin);
    const both = await Promise.all([1, 2].map(() => tool('tcpdump', { env: at.env, sbin })));
    expect(both.map((one) => one.version)).toEqual(['2.0.0', '2.0.0']);
    expect((await bundlesIn(at.cache)).every((name) => !name.startsWith('.'))).toBe(true);
  });

  test('is had though one source of packages is down', async () => {
    await using at = await place();
    await fakeDebian(at.bin, 'echo "E: Failed to fetch" >&2; exit 100');
    expect((await tool('tcpdump', { env: at.env, sbin })).version).toBe('2.0.0');
  });

  test('whose fetch breaks off leaves nothing behind, and the reason is told', async () => {
    await using at = await place();
    await fakeDebian(at.bin, undefined, 'echo "no space left" >&2; exit 2');
    const message = await failure('tcpdump', { env: at.env, sbin });
    expect(message).toContain('no space left');
    expect(message).toContain('(Debian: tcpdump)');
    expect(await bundlesIn(at.cache)).toEqual([]);
  });

  test('that was unpacked but does not run is not kept', async () => {
    await using at = await place();
    await fakeDebian(at.bin);
    expect(await failure('conntrack', { env: at.env, sbin })).toContain("conntrack was unpacked but doesn't run here");
    expect(await bundlesIn(at.cache)).toEqual([]);
  });
});

describe('the cache', () => {
  test('that can not be written is told with the variable that moves it', async () => {
    await using at = await place();
    await script(at.bin, 'a-file', '');
    const message = await failure('conntrack', { env: { ...at.env, FIREDRILL_CACHE: join(at.bin, 'a-file') }, sbin });
    expect(message).toMatch(
      /^the cache folder .*a-file.* can't be written .*; set FIREDRILL_CACHE to a folder that can$/,
    );
  });

  test("is below XDG_CACHE_HOME, else below the user's home", async () => {
    await using at = await place();
    await fakeDebian(at.bin);
    const xdg = await tool('tcpdump', { env: { PATH: at.env.PATH, XDG_CACHE_HOME: `${at.cache}/x` }, sbin });
    const home = await tool('tcpdump', { env: { PATH: at.env.PATH, HOME: `${at.cache}/h` }, sbin });
    expect(xdg.path).toContain(`${at.cache}/x/firedrill/`);
    expect(home.path).toContain(`${at.cache}/h/.cache/firedrill/`);
  });

  test('does not take what an interrupted fetch left for whole', async () => {
    await using at = await place();
    await fakeDebian(at.bin);
    const { path } = await tool('tcpdump', { env: at.env, sbin });
    const shelf = join(path, '../../../..');
    await script(join(shelf, '.staging-abc/root/usr/bin'), 'nft', 'echo v9.9');
    expect(await failure('nft', { env: at.env, sbin })).toMatch(/^nft: not on PATH, not in /);
  });
});

test('without apt the message says what to install', async () => {
  await using at = await place();
  const message = await failure('tcpdump', { env: { ...at.env, PATH: at.bin }, sbin });
  expect(message).toMatch(
    /^tcpdump: not on PATH, not in .*; install it with your system's packages \(Debian: tcpdump\)/,
  );
});

test('several tools come by name, each once', async () => {
  await using at = await place();
  await script(at.bin, 'nft', 'echo v1.0.6');
  await script(at.bin, 'ip', 'echo ip utility, iproute2-6.1.0');
  const found = await tools(['nft', 'ip'], { env: at.env, sbin });
  expect([found.nft.version, found.ip.version]).toEqual(['1.0.6', '6.1.0']);
});
