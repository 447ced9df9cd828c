#!/usr/bin/env node
import yargs from 'yargs';
// argv to one call to exit code: 0 pass, 1 fail, 2 nothing can be said, 3 still broken, 64 bad usage, 70 our bug.
import { hideBin } from 'yargs/helpers';
import { exitCodeFor, oneLine, Usage } from './errors.ts';

/** Each goes before the profile's place for it, and is asked with the credentials of the profile's `backends` section. */
const BACKENDS = {
  jaeger: { type: 'string', describe: 'URL of a Jaeger query service: spans are sent to it (--otlp) and read from it' },
  otlp: { type: 'string', describe: 'URL where that Jaeger takes OTLP over HTTP; default: the same host, port 4318' },
  loki: { type: 'string', describe: 'URL of a Loki: log lines are pushed to it and read from it' },
  prometheus: { type: 'string', describe: 'URL of a Prometheus: samples are remote-written to it and read from it' },
  alertmanager: { type: 'string', describe: 'URL of an Alertmanager: alerts are sent to it and read from it' },
  hubble: { type: 'string', describe: 'host:port of a Hubble to read flows from, or a file of recorded flows' },
} as const;

const BACKENDS_TITLE = 'In place of the profile’s own, with its credentials (docs/backends.md):';

/** Refuses what is no number of its kind while the command line is read: nothing has been touched by then. */
const checked =
  (option: string, holds: (value: number) => boolean, what: string) =>
  (value: number): number => {
    if (holds(value)) return value;
    throw new Usage(`--${option} must be ${what}`);
  };

const SETTING = {
  seed: {
    type: 'number',
    default: 1,
    describe: 'the same seed sends the same requests at the same times',
    coerce: checked('seed', (seed) => Number.isSafeInteger(seed) && seed >= 0, 'one whole number, 0 or more'),
  },
  platform: { type: 'string', describe: 'a platform profile: a file, or the name of a shipped one' },
} as const;

const TARGET = {
  target: {
    choices: ['lab', 'kubernetes'] as const,
    default: 'lab' as const,
    describe: 'where to drill: a lab of its own on this machine, or the cluster of a kubeconfig',
  },
} as const;

/** How a cluster is found, and where in it firedrill may act. */
const CLUSTER = {
  kubeconfig: { type: 'string', describe: 'kubeconfig file; default: $KUBECONFIG, ~/.kube/config, the pod it runs in' },
  context: { type: 'string', describe: 'context of the kubeconfig; default: its current one' },
  allow: {
    type: 'string',
    array: true,
    default: [] as string[],
    describe: 'namespaces in which things may be made and undone',
  },
} as const;

const IN_CLUSTER = {
  ...CLUSTER,
  via: {
    choices: ['port-forward', 'service-proxy', 'direct'] as const,
    default: 'port-forward' as const,
    describe: 'how services of the cluster are reached from here',
  },
  workers: {
    type: 'number',
    default: 0,
    describe: 'send the traffic from so many pods in the cluster; 0: from here',
    coerce: checked('workers', (n) => Number.isInteger(n) && n >= 0 && n <= 100, 'one whole number from 0 to 100'),
  },
  capture: { type: 'boolean', default: true, describe: 'capture packets, by an ephemeral container in every pod' },
  image: { type: 'string', describe: 'image of the traffic workers' },
  'agent-image': { type: 'string', describe: 'image of the ephemeral containers: delays, captures, probes' },
  'override-budgets': {
    type: 'boolean',
    default: false,
    describe: 'kill more pods than their disruption budget allows',
  },
} as const;

const cli = yargs(hideBin(process.argv))
  .scriptName('firedrill')
  .usage(
    '$0 <command>\n\nFire drills for observability: break something on purpose, then ask every layer whether it noticed and whom it blamed.',
  )
  .command(
    'run [scenario..]',
    'run drills and judge them; no scenario: all of ./scenarios',
    (it) =>
      it
        .positional('scenario', { type: 'string', array: true, describe: 'scenario files, or names of shipped ones' })
        .options({
          ...SETTING,
          ...TARGET,
          ...BACKENDS,
          out: { type: 'string', default: 'reports', describe: 'folder for reports' },
          control: { type: 'boolean', default: false, describe: 'run each with no fault: its control twin' },
          json: { type: 'boolean', default: false, describe: 'print verdicts as JSON on standard output' },
          push: { type: 'string', describe: 'URL of a Pushgateway that takes the outcome as metrics' },
        })
        .group(Object.keys(BACKENDS), BACKENDS_TITLE)
        .options(IN_CLUSTER)
        .group(Object.keys(IN_CLUSTER), 'With --target kubernetes:')
        .example('$0 run --target kubernetes --allow trading killed-order-service', 'the same drill in a cluster')
        .example('$0 run killed-order-service', 'one drill, in a lab of its own')
        .example('$0 run drills/*.ts --platform shop.ts', 'your scenarios on your platform'),
    async (argv) => exit((await import('./commands/run.ts')).runCommand({ ...argv, scenario: argv.scenario ?? [] })),
  )
  .command(
    'plan [scenario..]',
    'print what a drill would do, and touch nothing',
    (it) =>
      it
        .positional('scenario', { type: 'string', array: true })
        .options({ ...SETTING, ...TARGET, json: { type: 'boolean', default: false, describe: 'print plans as JSON' } })
        .options(IN_CLUSTER)
        .group(Object.keys(IN_CLUSTER), 'With --target kubernetes:'),
    async (argv) => exit((await import('./commands/plan.ts')).planCommand({ ...argv, scenario: argv.scenario ?? [] })),
  )
  .command(
    'judge <dir>',
    'judge a stored run again, from its evidence',
    (it) =>
      it
        .positional('dir', { type: 'string', demandOption: true })
        .options({ json: { type: 'boolean', default: false, describe: 'print the verdict as JSON' } }),
    async (argv) => exit((await import('./commands/judge.ts')).judgeCommand(argv)),
  )
  .command(
    'report <dir>',
    'write the reports of a stored run again',
    (it) => it.positional('dir', { type: 'string', demandOption: true }),
    async (argv) => exit((await import('./commands/judge.ts')).reportCommand(argv)),
  )
  .command(
    'heal',
    'undo what a crashed run left behind; safe to call at any time, any number of times',
    (it) =>
      it
        .options({
          ...TARGET,
          ...CLUSTER,
          out: { type: 'string', default: 'reports', describe: 'folder with the runs' },
          force: { type: 'boolean', default: false, describe: 'heal also what a run that still lives has done' },
        })
        .example('$0 heal --target kubernetes --allow trading', 'from any machine: all of it is found by its labels'),
    async (argv) => exit((await import('./commands/heal.ts')).healCommand(argv)),
  )
  .command(
    'doctor [scenario..]',
    'say what this machine, or a cluster, can do, and how to mend what it can’t',
    (it) =>
      it
        .positional('scenario', { type: 'string', array: true, describe: 'scenarios that are to run in the cluster' })
        .options({ ...TARGET, platform: SETTING.platform, ...BACKENDS })
        .group(Object.keys(BACKENDS), BACKENDS_TITLE)
        .options(IN_CLUSTER)
        .group(Object.keys(IN_CLUSTER), 'With --target kubernetes:')
        .example('$0 doctor --target kubernetes', 'permissions, clocks, components, layers: nothing is changed'),
    async (argv) =>
      exit((await import('./commands/doctor.ts')).doctorCommand({ ...argv, scenario: argv.scenario ?? [] })),
  )
  .command(
    'rbac [scenario..]',
    'print the least Roles that drills need in a cluster',
    (it) =>
      it
        .positional('scenario', { type: 'string', array: true, describe: 'scenario files, or names of shipped ones' })
        .options({
          platform: SETTING.platform,
          via: IN_CLUSTER.via,
          workers: IN_CLUSTER.workers,
          capture: IN_CLUSTER.capture,
          cilium: { type: 'boolean', default: false, describe: 'the cluster has Cilium: its own policies are used' },
          account: {
            type: 'string',
            default: 'firedrill/firedrill',
            describe: 'NAMESPACE/NAME of the service account that drills',
          },
        })
        .example('$0 rbac killed-order-service | kubectl apply -f -', 'what this one drill may do, and no more'),
    async (argv) => exit((await import('./commands/rbac.ts')).rbacCommand({ ...argv, scenario: argv.scenario ?? [] })),
  )
  .command(
    'list',
    'list scenarios and platforms',
    (it) => it,
    async () => exit((await import('./commands/list.ts')).listCommand()),
  )
  .command(
    'pcap <file..>',
    'say what captures show: conversations, handshakes, retransmissions, resets, response times',
    (it) =>
      it
        .positional('file', {
          type: 'string',
          array: true,
          demandOption: true,
          describe: 'pcap or pcapng files, also with gzip or zstd, read as one capture in this order',
        })
        .options({
          user: { type: 'string', describe: 'only requests of this user: x-user-id, x-username or baggage' },
          session: { type: 'string', describe: 'only requests of this session: x-session-id or baggage' },
          'request-id': { type: 'string', describe: 'only requests with this x-request-id' },
          host: {
            type: 'string',
            array: true,
            default: [] as string[],
            describe: 'only packets from or to ADDRESS, ADDRESS:PORT or :PORT; twice: only between the two',
          },
          protocol: { choices: ['tcp', 'udp'] as const, describe: 'only packets of this protocol' },
          http: {
            type: 'boolean',
            default: true,
            describe: 'time HTTP/1 requests; --no-http: conversations only, faster',
          },
          cut: { type: 'string', describe: 'write the packets of these requests to this new pcapng file' },
          top: {
            type: 'number',
            default: 10,
            describe: 'rows of each table',
            coerce: checked('top', (n) => Number.isInteger(n) && n >= 1, 'one whole number, 1 or more'),
          },
          json: { type: 'boolean', default: false, describe: 'print everything as JSON' },
        })
        .example('$0 pcap reports/killed-order-service/*/capture.pcap', 'what a run’s capture shows')
        .example('$0 pcap day.pcap.zst --user alice', 'how long alice waited, and at which service')
        .example('$0 pcap a.pcap --host 10.0.0.1:40000 --host 10.0.0.2:8080', 'one conversation')
        .example('$0 pcap a.pcap --request-id 7b1f… --cut one.pcapng', 'one request on all its hops, for Wireshark')
        .epilogue(
          'Exit code 0: read to the end; 2: damaged or cut short, and what was read is printed; 64: no capture.',
        ),
    async (argv) => exit((await import('./commands/pcap.ts')).pcapCommand(argv)),
  )
  .command('lab', 'the embedded platform', (it) =>
    it
      .command(
        'up',
        'bring the lab up with gentle traffic, print every endpoint, stay until Ctrl-C',
        (up) =>
          up.options({
            ...SETTING,
            'any-port': {
              type: 'boolean',
              default: false,
              describe: 'take any free ports in place of the standard ones',
            },
            rate: {
              type: 'number',
              default: 5,
              describe: 'requests per second of traffic; 0: none',
              coerce: checked('rate', (rate) => rate >= 0 && rate <= 1000, 'one number from 0 to 1000'),
            },
          }),
        async (argv) => exit((await import('./commands/lab.ts')).labCommand(argv)),
      )
      .demandCommand(1, 'say what to do with the lab: firedrill lab up'),
  )
  .demandCommand(1, 'say what to do, such as firedrill run killed-order-service')
  .strict()
  .version()
  .alias('h', 'help')
  .wrap(Math.min(110, process.stdout.columns ?? 110))
  .fail((message, error) => {
    // yargs hands on what we throw while it reads an option as an error of its own.
    const theirs = !error || error.name === 'YError';
    throw theirs ? new Usage(`${message ?? error?.message}; firedrill --help tells more`) : error;
  });

const exit = async (code: Promise<number>): Promise<void> => {
  process.exitCode = await code;
};

/** One line; a stack only for what is our own bug. */
const tell = (error: unknown): void => {
  const code = exitCodeFor(error);
  const stack =
    code === 70 && error instanceof Error
      ? `\n${error.stack}\nThis is a bug in firedrill; please report it with the lines above.`
      : '';
  process.stderr.write(`firedrill: ${oneLine(error)}${stack}\n`);
  process.exitCode = code;
};

// Who read our output may have gone, as `head` does: that ends neither a drill nor its healing.
process.stdout.on('error', (error: NodeJS.ErrnoException) => error.code !== 'EPIPE' && tell(error));
process.stderr.on('error', () => undefined);

try {
  await cli.parseAsync();
} catch (error) {
  tell(error);
}
