// A root file system as an image of one layer, in the format of `docker save`
// (https://github.com/moby/docker-image-spec): docker load, ctr images import and kind load image-archive take it.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from '../../src/process.ts';

export type Runs = {
  readonly entry: readonly string[];
  readonly user: string;
  readonly env: Readonly<Record<string, string>>;
};

/** Go's names of architectures, which images use. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** The same files make the same archive, byte for byte. */
const SAME = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];

/** Writes the folder `root` as the image `name` to `file`. */
export const archive = async (root: string, file: string, name: string, runs: Runs): Promise<void> => {
  const work = await mkdtemp(join(dirname(file), '.archive-'));
  try {
    const layer = join(work, 'layer.tar');
    await tar(root, layer, ['.']);
    const config = JSON.stringify(imageConfig(await sha256(layer), runs));
    const names = { Config: 'config.json', RepoTags: [name], Layers: ['layer.tar'] };
    await writeFile(join(work, 'config.json'), config);
    await writeFile(join(work, 'manifest.json'), JSON.stringify([names]));
    await tar(work, file, ['manifest.json', 'config.json', 'layer.tar']);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
};

/** https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md */
export const imageConfig = (layer: string, { entry, user, env }: Runs): object => ({
  architecture: ARCHITECTURES[process.arch] ?? process.arch,
  os: 'linux',
  config: {
    Entrypoint: entry,
    User: user,
    Env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
    WorkingDir: '/',
  },
  rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
});

const tar = (folder: string, file: string, what: readonly string[]): Promise<string> =>
  run({ name: 'tar', argv: ['tar', ...SAME, '-C', folder, '-cf', file, ...what] });

const sha256 = async (file: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
};
