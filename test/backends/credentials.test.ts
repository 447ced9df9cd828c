// Real servers that let nobody in without a credential: what the profile names opens them, and what it lacks is told.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { mustAnswer, named } from '../../src/backends.ts';
import { oneLine } from '../../src/errors.ts';
import { type PlatformProfile, platform } from '../../src/platform.ts';
import { until } from '../../src/poll.ts';
import { type Command, start } from '../../src/process.ts';
import { timingOf } from '../../src/targets/kubernetes/timing.ts';
import { NO_RECEIVERS } from '../../src/targets/lab/config.ts';
import { type Certificates, certificates } from '../helpers/certificates.ts';
import { freePort, HOST, backends as programs, temporary } from '../targets/lab/backends.ts';
import { missing, programFor } from './servers.ts';

const MINUTE = 60_000;
const SERVER = 'backends.shop.example';
/** Of the password `test`, as Prometheus's own documentation has it (prometheus.io/docs/guides/basic-auth). */
const HASH = '$2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay';

let made: Certificates;
beforeAll(async () => {
  process.env.TEST_PASSWORD = 'test';
  made = await certificates(SERVER);
});
afterAll(async () => made[Symbol.asyncDispose]());

const shop = (backends: PlatformProfile['backends']) =>
  platform({ name: 'shop', entry: 'web', components: { web: { endpoints: {} } }, journeys: {}, backends });
/** What is wrong with the profile's backends, as it is told before a drill. */
const complaint = async (backends: PlatformProfile['backends']): Promise<string> => {
  const profile = shop(backends);
  const reads = await named({}, profile);
  return mustAnswer({ reads, receivers: NO_RECEIVERS }, profile).then(() => 'none', oneLine);
};

/** Runs a program in a folder with these files until the scope ends; resolves once it listens, whatever it answers. */
const running = async (command: Command, url: string, files: Readonly<Record<string, object>>) => {
  const dir = await temporary();
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir.path, name), JSON.stringify(content));
  const program = await start({ ...command, cwd: dir.path, stdio: ['ignore', 'ignore', 'pipe'] });
  const listens = (): Promise<true> =>
    request(url, { reset: true }).then(
      async ({ body }) => body.dump().then(() => true as const),
      (error: NodeJS.ErrnoException) =>
        error.code === 'ECONNREFUSED' ? Promise.reject(new Error(program.complaint().slice(-300))) : true,
    );
  const dispose = async (): Promise<void> => {
    await program.stop();
    await dir[Symbol.asyncDispose]();
  };
  await until(command.name, listens, { forMs: MINUTE / 3, everyMs: 200 }).catch(async (error: unknown) => {
    await dispose();
    throw error;
  });
  return { [Symbol.asyncDispose]: dispose };
};

/** Prometheus's exporter-toolkit: TLS that demands a client's certificate, and a password besides. */
const guarded = () => ({
  tls_server_config: {
    cert_file: made.server.cert,
    key_file: made.server.key,
    client_ca_file: made.ca,
    client_auth_type: 'RequireAndVerifyClientCert',
  },
  basic_auth_users: { drills: HASH },
});

const whole = () => ({
  caFile: made.ca,
  certFile: made.client.cert,
  keyFile: made.client.key,
  serverName: SERVER,
  basicAuth: { user: 'drills', passwordEnv: 'TEST_PASSWORD' },
});

(programs ? describe : describe.skip)(
  'a Prometheus and an Alertmanager behind TLS, a certificate, a password and a prefix',
  () => {
    let prometheus = '';
    let alertmanager = '';
    const opened: AsyncDisposable[] = [];
    beforeAll(async () => {
      const [first, second] = [await freePort(), await freePort()];
      const { prometheus: one, alertmanager: other } = programs!;
      const web = ['--web.config.file=web.json', '--log.level=error'];
      prometheus = `https://${HOST}:${first}/shop`;
      alertmanager = `https://${HOST}:${second}/shop`;
      const flags = [
        '--config.file=prometheus.json',
        '--storage.tsdb.path=data',
        `--web.listen-address=${HOST}:${first}`,
      ];
      const theirs = [
        '--config.file=alertmanager.json',
        '--storage.path=data',
        '--cluster.listen-address=',
        `--web.listen-address=${HOST}:${second}`,
      ];
      const config = { route: { receiver: 'nobody', group_wait: '7s' }, receivers: [{ name: 'nobody' }] };
      const files = { 'web.json': guarded() };
      opened.push(
        await running(
          { name: 'prometheus', argv: [one.path, ...flags, ...web, `--web.external-url=${prometheus}`], env: one.env },
          prometheus,
          { 'prometheus.json': { global: { scrape_interval: '3s' } }, ...files },
        ),
      );
      opened.push(
        await running(
          {
            name: 'alertmanager',
            argv: [other.path, ...theirs, ...web, `--web.external-url=${alertmanager}`],
            env: other.env,
          },
          alertmanager,
          { 'alertmanager.json': config, ...files },
        ),
      );
    }, 2 * MINUTE);
    afterAll(async () => {
      for (const one of opened) await one[Symbol.asyncDispose]();
    });

    test(
      'are read, and their timing too, with all that the profile names',
      async () => {
        const backends = {
          prometheus: { url: prometheus, ...whole() },
          alertmanager: { url: alertmanager, ...whole() },
        };
        expect(await complaint(backends)).toBe('none');
        expect(await timingOf({ prometheus, alertmanager }, shop(backends))).toMatchObject({
          scrape: 3000,
          groupWait: 7000,
        });
      },
      MINUTE,
    );

    test(
      'without the password are told, with what was shown instead',
      async () => {
        const { basicAuth: _, ...rest } = whole();
        expect(await complaint({ prometheus: { url: prometheus, ...rest } })).toMatch(
          /^metrics: backends\.prometheus \S+ can't be read: HTTP 401 to the certificate in \S+: Unauthorized$/,
        );
      },
      MINUTE,
    );

    test(
      'with a wrong password are told, without the password',
      async () => {
        process.env.TEST_WRONG = 'wr0ng';
        const basicAuth = { user: 'drills', passwordEnv: 'TEST_WRONG' };
        const said = await complaint({ alertmanager: { url: alertmanager, ...whole(), basicAuth } });
        expect(said).toMatch(/^alerts: .*HTTP 401 to user drills and a password and the certificate in/);
        expect(said).not.toContain('wr0ng');
      },
      MINUTE,
    );

    test(
      'without the certificate are told, with what may be missing',
      async () => {
        const { certFile: _, keyFile: __, ...rest } = whole();
        expect(await complaint({ prometheus: { url: prometheus, ...rest } })).toMatch(
          /can't be read: no answer: .*\(if it demands a certificate, certFile and keyFile name one\)$/,
        );
      },
      MINUTE,
    );
  },
);

const loki = programFor('loki');
(loki ? describe : describe.skip)(`a Loki of several tenants${loki ? '' : ` # ${missing('loki')}`}`, () => {
  test(
    'lets in whom the profile’s tenant names, and nobody else',
    async () => {
      const port = await freePort();
      const url = `http://${HOST}:${port}`;
      const server = {
        http_listen_address: HOST,
        http_listen_port: port,
        grpc_listen_address: HOST,
        grpc_listen_port: 0,
      };
      const config = {
        auth_enabled: true,
        server: { ...server, log_level: 'error' },
        common: {
          path_prefix: 'data',
          replication_factor: 1,
          instance_addr: HOST,
          ring: { kvstore: { store: 'inmemory' } },
          storage: { filesystem: { chunks_directory: 'data/chunks', rules_directory: 'data/rules' } },
        },
        schema_config: {
          configs: [
            {
              from: '2024-01-01',
              store: 'tsdb',
              object_store: 'filesystem',
              schema: 'v13',
              index: { prefix: 'index_', period: '24h' },
            },
          ],
        },
        ingester: { lifecycler: { min_ready_duration: '0s' } },
        analytics: { reporting_enabled: false },
      };
      await using _ = await running({ name: 'loki', argv: [loki!, '-config.file=loki.json'] }, url, {
        'loki.json': config,
      });
      const fine = async (): Promise<true | null> =>
        (await complaint({ loki: { url, tenant: 'shop' } })) === 'none' ? true : null;
      await until('a tenant', fine, { forMs: MINUTE, everyMs: 500 });
      expect(await complaint({ loki: { url } })).toBe(
        `logs: backends.loki ${url} can't be read: HTTP 401 and no credential was sent, for backends.loki of the profile names none: no org id`,
      );
    },
    2 * MINUTE,
  );
});
