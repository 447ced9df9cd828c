// What the tests of the lab's real backends share: the programs, a folder, a free port.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { oneLine } from '../../../src/errors.ts';
import { tools } from '../../../src/tools.ts';

/** Prometheus with promtool and Alertmanager, or null after saying why there are none. */
export const backends = await tools(['prometheus', 'promtool', 'alertmanager']).catch((error: unknown) => {
  console.warn(`skipped: ${oneLine(error)}`);
  return null;
});

export const HOST = '127.0.0.1';

export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, HOST, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

export const temporary = async (): Promise<{ readonly path: string } & AsyncDisposable> => {
  const path = await mkdtemp(join(tmpdir(), 'firedrill-lab-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
};
