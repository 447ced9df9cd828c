import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { run } from '../../src/process.ts';
import { RELEASES, type Release, unpackRelease } from '../../src/tools/releases.ts';
import { temporary } from '../targets/lab/backends.ts';

const ARCHIVE = 'thing-1.2.3.linux-amd64.tar.gz';

const archive = async (dir: string): Promise<Buffer> => {
  await mkdir(join(dir, 'thing-1.2.3'));
  await writeFile(join(dir, 'thing-1.2.3', 'thing'), 'the program');
  await run({ name: 'tar', argv: ['tar', '-czf', join(dir, ARCHIVE), '-C', dir, 'thing-1.2.3'] });
  return readFile(join(dir, ARCHIVE));
};

/** Redirects the release's address to where the file is, as the real one does. */
const serve = async (file: Buffer): Promise<{ readonly url: string } & AsyncDisposable> => {
  const server = createServer((request, response) => {
    if (/^\/thing\/releases\/download\/v1\.2\.3\/thing-1\.2\.3\.linux-\w+\.tar\.gz$/.test(request.url!))
      response.writeHead(302, { location: '/asset' }).end();
    else if (request.url === '/asset') response.end(file);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, [Symbol.asyncDispose]: stop };
};

const release = (sha256: string, version = '1.2.3'): Release => ({
  project: 'thing',
  version,
  sha256: { [process.arch]: sha256 },
});
const sum = (file: Buffer): string => createHash('sha256').update(file).digest('hex');

describe('a release', () => {
  test('is unpacked when its checksum is the pinned one', async () => {
    await using dir = await temporary();
    const file = await archive(dir.path);
    await using server = await serve(file);
    await mkdir(join(dir.path, 'root'));
    await unpackRelease(release(sum(file)), dir.path, server.url);
    expect(await readFile(join(dir.path, 'root', 'thing'), 'utf8')).toBe('the program');
  });

  test('with another checksum is not unpacked', async () => {
    await using dir = await temporary();
    await using server = await serve(await archive(dir.path));
    await mkdir(join(dir.path, 'root'));
    const unpacking = unpackRelease(release('0'.repeat(64)), dir.path, server.url);
    await expect(unpacking).rejects.toThrow(/has the SHA-256 [0-9a-f]{64}, not the pinned 0{64}$/);
    expect(await readdir(join(dir.path, 'root'))).toEqual([]);
  });

  test('that is not there is told with its address', async () => {
    await using dir = await temporary();
    await using server = await serve(Buffer.from(''));
    await expect(unpackRelease(release('0', '9.9.9'), dir.path, server.url)).rejects.toThrow(
      /thing-9\.9\.9\.linux-\w+\.tar\.gz: HTTP 404$/,
    );
  });

  test('for a machine that none is pinned for says so', async () => {
    const none: Release = { project: 'thing', version: '1', sha256: {} };
    await expect(unpackRelease(none, '/nowhere')).rejects.toThrow(/^no release of thing is pinned for /);
  });

  test.each(Object.values(RELEASES))('$project $version is pinned for both architectures', ({ sha256 }) => {
    expect(Object.keys(sha256).sort()).toEqual(['arm64', 'x64']);
    for (const one of Object.values(sha256)) expect(one).toMatch(/^[0-9a-f]{64}$/);
  });
});
