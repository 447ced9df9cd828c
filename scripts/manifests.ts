// Manifests of a platform and its observers, for kubectl apply -k: `node scripts/manifests.ts [PLATFORM [OUT]]`, a profile's
// file or a shipped platform's name. Without arguments: platforms/trading.ts into deploy/trading.
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitCodeFor, oneLine } from '../src/errors.ts';
import { loadPlatform } from '../src/load.ts';
import { files } from './manifests/files.ts';

const DEPLOY = fileURLToPath(new URL('../deploy', import.meta.url));

const main = async (word = 'trading', out?: string): Promise<void> => {
  const platform = await loadPlatform(word);
  const folder = out ?? join(DEPLOY, platform.name);
  await mkdir(folder, { recursive: true });
  const made = files(platform, relative(folder, join(DEPLOY, 'observability')));
  for (const [name, text] of Object.entries(made)) await writeFile(join(folder, name), text);
  console.log(`${Object.keys(made).length} files in ${folder}; kubectl apply -k ${folder}`);
};

await main(...(process.argv.slice(2) as [string?, string?])).catch((error: unknown) => {
  console.error(oneLine(error));
  process.exitCode = exitCodeFor(error);
});
