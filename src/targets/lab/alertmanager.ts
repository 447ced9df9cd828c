// The lab's alert delivery: the real Alertmanager, alone, with one receiver.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ToolPath } from './config.ts';
import { startServer } from './server.ts';

export type AlertmanagerOptions = {
  readonly tool: ToolPath;
  /** A folder of its own, for configuration and data; made when it isn't there. */
  readonly dir: string;
  readonly host: string;
  readonly port: number;
  readonly groupWaitMs: number;
  readonly groupIntervalMs: number;
  readonly webhookUrl: string;
};

export type Alertmanager = AsyncDisposable & { readonly url: string };

const ENVIRONMENT = { GOMEMLIMIT: '64MiB', GOMAXPROCS: '1' };

/** Starts Alertmanager and resolves when it is ready. Throws Unreachable with its last error when it doesn't start. */
export const startAlertmanager = async (options: AlertmanagerOptions): Promise<Alertmanager> => {
  const { tool, dir, host, port } = options;
  await mkdir(dir, { recursive: true });
  const file = join(dir, 'alertmanager.json');
  await writeFile(file, configuration(options));
  const running = await startServer({
    name: 'alertmanager',
    tool,
    args: [
      `--config.file=${file}`,
      `--storage.path=${join(dir, 'data')}`,
      `--web.listen-address=${host}:${port}`,
      `--web.external-url=http://${host}:${port}`,
      // Without an address it does not look for others to form a cluster with, which would delay notifications.
      '--cluster.listen-address=',
      '--log.level=warn',
    ],
    env: ENVIRONMENT,
    dir,
    host,
    port,
  });
  return { url: `http://${host}:${port}`, [Symbol.asyncDispose]: () => running.stop() };
};

type Configured = Pick<AlertmanagerOptions, 'groupWaitMs' | 'groupIntervalMs' | 'webhookUrl'>;

/** Every alert is a group of its own ('...'): one that fires later must not wait for the group interval of another. */
export const configuration = ({ groupWaitMs, groupIntervalMs, webhookUrl }: Configured): string =>
  JSON.stringify({
    route: {
      receiver: 'webhook',
      group_by: ['...'],
      group_wait: `${groupWaitMs}ms`,
      group_interval: `${groupIntervalMs}ms`,
      repeat_interval: '4h',
    },
    receivers: [{ name: 'webhook', webhook_configs: [{ url: webhookUrl, send_resolved: true }] }],
  });
