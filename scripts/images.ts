// Container images without a container engine: `node scripts/images.ts OUT [names…]` writes, for each image, the folder
// OUT/<name> (its root file system) and OUT/<name>.tar (docker load, ctr images import, kind load image-archive). Without
// names: firedrill and firedrill-agent. Programs and libraries are this machine's, which must have glibc and GNU tar.
import { chmod, cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { exitCodeFor, oneLine, Usage } from '../src/errors.ts';
import { run } from '../src/process.ts';
import { archive } from './images/archive.ts';
import { type Content, IMAGES, tagOf } from './images/content.ts';

const OWN = ['firedrill', 'firedrill-agent'];

/** What programs expect of any system: users, how names are looked up, and a place for temporary files. */
const ETC = {
  'etc/passwd': 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n',
  'etc/group': 'root:x:0:\nnonroot:x:65532:\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
};

const fill = async (root: string, { files, make }: Content): Promise<void> => {
  await rm(root, { recursive: true, force: true });
  for (const { from, to } of files) {
    await mkdir(dirname(join(root, to)), { recursive: true });
    await cp(from, join(root, to), { dereference: true });
  }
  await make?.(root);
  await mkdir(join(root, 'tmp'));
  await mkdir(join(root, 'etc'), { recursive: true });
  for (const [name, text] of Object.entries(ETC)) await writeFile(join(root, name), text);
  // Whatever this machine's umask: any user may read, nobody but root may write.
  await run({ name: 'chmod', argv: ['chmod', '-R', 'u+w,go-w,a+rX', root] });
  await chmod(join(root, 'tmp'), 0o1777);
};

const main = async (out: string | undefined, names: readonly string[]): Promise<void> => {
  const known = Object.keys(IMAGES);
  if (!out) throw new Usage(`usage: node scripts/images.ts OUT [${known.join('|')} …]`);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown) throw new Usage(`no image '${unknown}': there are ${known.join(', ')}`);
  for (const name of names.length > 0 ? names : OWN) {
    const { runs, content } = IMAGES[name]!;
    const root = resolve(out, name);
    await fill(root, await content());
    const tag = await tagOf(name);
    await archive(root, `${root}.tar`, tag, runs);
    console.log(`${tag}: ${join(out, name)}.tar`);
  }
};

const [out, ...names] = process.argv.slice(2);
await main(out, names).catch((error: unknown) => {
  console.error(oneLine(error));
  process.exitCode = exitCodeFor(error);
});
