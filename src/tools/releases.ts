// Prometheus's own releases, for machines without Debian's packages: one pinned version, its checksum known beforehand.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { EnvHttpProxyAgent, interceptors, request } from 'undici';
import { oneLine, Unreachable } from '../errors.ts';
import { run } from '../process.ts';

export type Release = {
  readonly project: string;
  readonly version: string;
  readonly sha256: Readonly<Record<string, string>>;
};

/** Architectures by Node's names. Each sum was found alike in two independent public sources; the ADR names the rule. */
export const RELEASES = {
  prometheus: {
    project: 'prometheus',
    version: '3.4.1',
    sha256: {
      x64: '09203151c132f36b004615de1a3dea22117ad17e6d7a59962e34f3abf328f312',
      arm64: '2a85be1dff46238c0d799674e856c8629c8526168dd26c3de2cecfbfc6f9a0a2',
    },
  },
  alertmanager: {
    project: 'alertmanager',
    version: '0.28.1',
    sha256: {
      x64: '5ac7ab5e4b8ee5ce4d8fb0988f9cb275efcc3f181b4b408179fafee121693311',
      arm64: 'd8832540e5b9f613d2fd759e31d603173b9c61cc7bb5e3bc7ae2f12038b1ce4f',
    },
  },
} as const satisfies Record<string, Release>;

const DOWNLOADS = 'https://github.com/prometheus';
const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Fetches, checks and unpacks a release into `staging`/root. Throws Unreachable; nothing unchecked is ever unpacked. */
export const unpackRelease = async (release: Release, staging: string, downloads = DOWNLOADS): Promise<void> => {
  const wanted = process.platform === 'linux' ? release.sha256[process.arch] : undefined;
  if (!wanted)
    throw new Unreachable(`no release of ${release.project} is pinned for ${process.platform} ${process.arch}`);
  const { project, version } = release;
  const file = `${project}-${version}.linux-${GO_ARCHITECTURES[process.arch]}.tar.gz`;
  const archive = join(staging, file);
  const sum = await download(`${downloads}/${project}/releases/download/v${version}/${file}`, archive);
  if (sum !== wanted) throw new Unreachable(`${file} has the SHA-256 ${sum}, not the pinned ${wanted}`);
  await run({ name: 'tar', argv: ['tar', '-xzf', archive, '--strip-components=1', '-C', join(staging, 'root')] });
};

/** Writes what is at `url` to `file`; resolves to its SHA-256. */
const download = async (url: string, file: string): Promise<string> => {
  const agent = new EnvHttpProxyAgent({ headersTimeout: 20_000, bodyTimeout: 20_000, connect: { timeout: 10_000 } });
  const hash = createHash('sha256');
  try {
    const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: 5 }));
    const { statusCode, body } = await request(url, { dispatcher });
    if (statusCode !== 200) throw new Error(`HTTP ${statusCode}`);
    const hashed = async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(body, hashed, createWriteStream(file));
    return hash.digest('hex');
  } catch (error) {
    throw new Unreachable(`${url}: ${oneLine(error)}`);
  } finally {
    await agent.destroy();
  }
};
