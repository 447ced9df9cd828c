import { fileURLToPath } from 'node:url';
import { afterAll, expect, jest, test } from '@jest/globals';
import { type Grade, gradeAtLeast } from '../../src/expect.ts';
import { LAYERS, type LayerName } from '../../src/model.ts';
import { start } from '../../src/process.ts';
import { readRun } from '../../src/stored.ts';
import { type Verdict, verdict } from '../../src/verdict.ts';
import { attempts, tale } from '../live/attempts.ts';
import { noMetricsOrAlerts, type Real, realAlertmanager, realJaeger, realLoki, realPrometheus } from '../live/real.ts';
import { folder, noLab } from '../live/tool.ts';
import { missing, programFor } from './servers.ts';

const MINUTES = 60_000;
const PROCESS = fileURLToPath(new URL('drill-process.ts', import.meta.url));

// A machine shared with strangers disturbs a drill now and then; what failed is printed.
jest.retryTimes(2, { logErrorsBeforeRetry: true });

/** A server that is only named can't be stopped. */
const why =
  missing('jaeger') ??
  missing('loki') ??
  (programFor('jaeger') && programFor('loki') ? null : 'needs FIREDRILL_JAEGER and FIREDRILL_LOKI (programs)') ??
  noMetricsOrAlerts() ??
  (await noLab('me'));
const live = (name: string, body: () => Promise<void>): void =>
  why ? test.skip(`${name} # ${why}`, body) : test(name, body, 20 * MINUTES);

const NAMES = ['jaeger', 'loki', 'prometheus', 'alertmanager'] as const;
type Name = (typeof NAMES)[number];

const START: Readonly<Record<Name, () => Promise<Real>>> = {
  jaeger: () => realJaeger(),
  loki: () => realLoki({}, programFor('loki')!),
  prometheus: () => realPrometheus(true),
  alertmanager: () => realAlertmanager(),
};

/** All four on free ports; `stop` ends one of them. */
const servers = async () => {
  process.env.FIREDRILL_JAEGER ??= programFor('jaeger')!;
  await using scope = new AsyncDisposableStack();
  const all = await Promise.all(NAMES.map(async (name) => [name, scope.use(await START[name]())] as const));
  const kept = scope.move();
  return {
    at: Object.assign({}, ...all.map(([, { at }]) => at)) as Real['at'],
    stop: async (name: Name): Promise<void> => Object.fromEntries(all)[name]![Symbol.asyncDispose](),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
};

type Lost = Name | 'hubble' | null;

/** Drills on the lab's own layers or on real backends; when the fault is injected, one of them is lost. */
const drilled = async (on: 'own' | 'real', lost: Lost = null): Promise<Verdict> => {
  await using real = on === 'real' ? await servers() : null;
  await using out = await folder();
  const settings = JSON.stringify({ given: real?.at ?? {}, cut: lost === 'hubble' });
  const argv = [process.execPath, '--disable-warning=ExperimentalWarning', PROCESS, out.path, settings] as const;
  await using running = await start({ name: 'drill', argv: [...argv], env: { NODE_OPTIONS: '' } });
  const losing: Promise<void>[] = [];
  running.child.stderr?.once('data', () => {
    if (lost && lost !== 'hubble') losing.push(real!.stop(lost));
  });
  // Nothing is injected into an unsteady platform.
  expect([await running.ended, running.complaint()]).toEqual([0, expect.stringMatching(/^(injecting)?$/)]);
  await Promise.all(losing);
  return verdict(await readRun(out.path));
};

const COLUMNS = new Map<string, Verdict>();

/** The verdict, kept for the table at the end. A platform that was unsteady before any fault says nothing of backends: it is drilled again. */
const column = (title: string, ...what: Parameters<typeof drilled>): Promise<Verdict> =>
  attempts(title, async () => {
    const done = await drilled(...what);
    COLUMNS.set(title, done);
    return { done, again: done.because.startsWith('no steady state') ? done.because : null };
  });

afterAll(() => {
  if (COLUMNS.size === 0) return;
  const row = (cells: readonly string[]): string =>
    cells
      .map((cell) => cell.padEnd(16))
      .join('')
      .trimEnd();
  const rows = [
    row(['layer', ...COLUMNS.keys()]),
    ...LAYERS.map((layer) => row([layer, ...[...COLUMNS.values()].map(({ layers }) => layers[layer].grade)])),
    row(['outcome', ...[...COLUMNS.values()].map(({ outcome }) => outcome)]),
  ];
  process.stdout.write(`\n${rows.join('\n')}\n\n`);
});

const grades = ({ layers }: Verdict): Record<LayerName, Grade> =>
  Object.fromEntries(LAYERS.map((layer) => [layer, layers[layer].grade])) as Record<LayerName, Grade>;

live('four real backends give a blocked edge the same grades as the lab’s own layers', async () => {
  const own = await column("lab's own", 'own');
  const real = await column('all real', 'real');
  expect({ outcome: own.outcome, tale: tale(own) }).toEqual({ outcome: 'pass', tale: tale(own) });
  expect({ grades: grades(real), tale: tale(real) }).toEqual({ grades: grades(own), tale: tale(real) });
});

const LOSSES = [
  ['jaeger', 'traces'],
  ['loki', 'logs'],
  ['prometheus', 'metrics'],
  ['alertmanager', 'alerts'],
  ['hubble', 'flows'],
] as const;

for (const [lost, layer] of LOSSES)
  live(`${lost}, lost as the fault begins, is told for its layer, and the other layers are right`, async () => {
    const one = await column(`no ${lost}`, 'real', lost);
    const told = { outcome: one.outcome, tale: tale(one) };
    expect(one.gaps.filter((gap) => gap.layer === layer).length).toBeGreaterThan(0);
    const outcomes = ['inconclusive', 'layer-unhealthy'];
    expect(outcomes.map((outcome) => ({ ...told, outcome }))).toContainEqual(told);
    expect(one.because).toContain(layer);
    const touched: readonly LayerName[] = lost === 'prometheus' ? ['metrics', 'alerts'] : [layer];
    const others = LAYERS.filter((other) => !touched.includes(other));
    const short = others.filter((other) => !gradeAtLeast(one.layers[other].grade, 'located'));
    expect({ short, tale: tale(one) }).toEqual({ short: [], tale: tale(one) });
  });
