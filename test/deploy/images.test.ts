import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { archive, type Runs } from '../../scripts/images/archive.ts';
import { librariesOf, linked } from '../../scripts/images/libraries.ts';
import { isNeeded, production } from '../../scripts/images/packages.ts';
import { run, start } from '../../src/process.ts';

const folders: string[] = [];
const folder = async (): Promise<string> => {
  const made = await mkdtemp(join(tmpdir(), 'images-'));
  folders.push(made);
  return made;
};
afterEach(async () => {
  for (const one of folders.splice(0)) await rm(one, { recursive: true, force: true });
});

describe('libraries of a program', () => {
  // Recorded from ldd of glibc 2.36 for tcpdump 4.99.3; libpcap was not installed.
  const RECORDED = `	linux-vdso.so.1 (0x00007fa772582000)
	libcrypto.so.3 => /lib/x86_64-linux-gnu/libcrypto.so.3 (0x00007fa771c00000)
	libpcap.so.0.8 => not found
	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007fa771a1e000)
	/lib64/ld-linux-x86-64.so.2 (0x00007fa772584000)
`;

  test('are read with where they are, the kernel’s own left out and a missing one told', () => {
    expect(linked(RECORDED)).toEqual([
      { name: 'libcrypto.so.3', file: '/lib/x86_64-linux-gnu/libcrypto.so.3' },
      { name: 'libpcap.so.0.8', file: null },
      { name: 'libc.so.6', file: '/lib/x86_64-linux-gnu/libc.so.6' },
      { name: '/lib64/ld-linux-x86-64.so.2', file: '/lib64/ld-linux-x86-64.so.2' },
    ]);
  });

  test('of any text, only absolute files come out', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '/', ' ', '\t', '\n', '=>', '(0x1)', 'not found') }), (text) =>
        linked(text).every(({ file }) => file === null || file.startsWith('/')),
      ),
    );
  });

  test('of Node: the C library, what it opens later, and the loader where Node looks for it', async () => {
    const places = (await librariesOf(process.execPath)).map(({ to }) => to);
    const interpreter = places.find((one) => /\/ld[^/]*\.so/.test(one));
    expect((await readFile(process.execPath)).subarray(0, 4096).toString('latin1')).toContain(interpreter);
    for (const name of ['libc.so.6', 'libstdc++.so.6'])
      expect(places.some((one) => one.endsWith(`/${name}`))).toBe(true);
  });
});

describe('packages', () => {
  test('those of development are left out, those that are optional are told', () => {
    const packages = {
      '': {},
      'node_modules/a': {},
      'node_modules/b': { dev: true },
      'node_modules/c': { optional: true },
    };
    expect(production({ packages })).toEqual([
      { folder: 'node_modules/a', optional: false },
      { folder: 'node_modules/c', optional: true },
    ]);
  });

  test.each([
    ['lib/index.js', true],
    ['lib/native.node', true],
    ['data.json', true],
    ['LICENSE.md', true],
    ['lib/index.d.ts', false],
    ['lib/index.d.cts', false],
    ['lib/index.js.map', false],
    ['README.md', false],
  ])('%s is needed: %s', (file, needed) => {
    expect(isNeeded(join('node_modules/x', file))).toBe(needed);
  });
});

describe('an archive', () => {
  const RUNS: Runs = { entry: ['/bin/program', '--flag'], user: '65532', env: { PATH: '/bin' } };
  const root = async (): Promise<string> => {
    const made = await folder();
    await mkdir(join(made, 'bin'));
    await writeFile(join(made, 'bin/program'), 'x');
    await chmod(join(made, 'bin/program'), 0o755);
    return made;
  };

  test('is one layer, whose digest its configuration names, and the name that it is to be loaded as', async () => {
    const out = await folder();
    await archive(await root(), join(out, 'i.tar'), 'docker.io/library/i:1', RUNS);
    await run({ name: 'tar', argv: ['tar', '-C', out, '-xf', join(out, 'i.tar')] });
    const [manifest] = JSON.parse(await readFile(join(out, 'manifest.json'), 'utf8'));
    expect(manifest.RepoTags).toEqual(['docker.io/library/i:1']);
    const { config, rootfs } = JSON.parse(await readFile(join(out, manifest.Config), 'utf8'));
    expect(config).toMatchObject({ Entrypoint: RUNS.entry, User: '65532', Env: ['PATH=/bin'] });
    const layer = await readFile(join(out, manifest.Layers[0]));
    expect(rootfs.diff_ids).toEqual([`sha256:${createHash('sha256').update(layer).digest('hex')}`]);
    const listed = await run({ name: 'tar', argv: ['tar', '-tvf', join(out, manifest.Layers[0]), '--numeric-owner'] });
    expect(listed).toMatch(/^-rwxr-xr-x 0\/0 .* \.\/bin\/program$/m);
  });

  test('of the same files is the same, byte for byte, whenever they were written', async () => {
    const out = await folder();
    for (const name of ['a.tar', 'b.tar']) await archive(await root(), join(out, name), 'i:1', RUNS);
    expect((await readFile(join(out, 'a.tar'))).equals(await readFile(join(out, 'b.tar')))).toBe(true);
  });
});

describe('the command', () => {
  const SCRIPT = fileURLToPath(new URL('../../scripts/images.ts', import.meta.url));
  test.each([
    ['without a folder', [], /^usage: node scripts\/images\.ts OUT/],
    ['an image that there is not', ['OUT', 'nginx'], /^no image 'nginx': there are firedrill, /],
    ['a backend without its program', ['OUT', 'jaeger'], /^image jaeger: set FIREDRILL_JAEGER to /],
  ])('%s: one line, and nothing is made', async (_, args, says) => {
    const out = await folder();
    const argv = [process.execPath, '--disable-warning=ExperimentalWarning', SCRIPT] as const;
    const given = args.map((one) => (one === 'OUT' ? join(out, 'new') : one));
    const running = await start({ name: 'images', argv: [...argv, ...given], env: { FIREDRILL_JAEGER: '' } });
    expect(await running.ended).toBe(64);
    expect(running.complaint()).toMatch(says);
    expect(running.complaint()).not.toContain('\n');
    await expect(readFile(join(out, 'new'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
