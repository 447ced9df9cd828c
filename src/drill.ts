// A drill from scenario to verdict: plan, run and evidence beside each other, then judge. The composition, and nothing else.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { adapters, guardOf, questions } from './adapters.ts';
import { oneLine, Unreachable } from './errors.ts';
import { evidence, type Look } from './evidence.ts';
import { type Entry, openHistory } from './history.ts';
import { LAYERS, type LayerName } from './model.ts';
import { naming } from './naming.ts';
import { type Plan, phase, plan, trafficOf } from './plan.ts';
import type { Platform } from './platform.ts';
import { during } from './poll.ts';
import { run } from './run.ts';
import type { Scenario } from './scenario.ts';
import { steadiness } from './steady-state.ts';
import { FILES } from './stored.ts';
import type { Endpoints, Facts, Target, Traffic } from './targets/target.ts';
import { fromMs, iso, systemClock } from './time.ts';
import { phaseWindow } from './times.ts';
import type { LedgerRecord } from './traffic/ledger.ts';
import { writeLedger } from './traffic/ledger-file.ts';

export type Backends = Partial<Pick<Endpoints, 'jaeger' | 'prometheus' | 'alertmanager' | 'loki' | 'hubble'>>;

export type DrillSettings = {
  readonly scenario: Scenario;
  readonly platform: Platform;
  readonly seed: number;
  readonly runId: string;
  /** Where the run's files go; made here. */
  readonly folder: string;
  /** Real backends in place of the target's own. */
  readonly backends: Backends;
  readonly signal: AbortSignal;
  readonly on: Listeners;
};

export type Listeners = {
  readonly plan: (plan: Plan) => void;
  readonly entry: (entry: Entry) => void;
  readonly look: (look: Look) => void;
  readonly record: (record: LedgerRecord) => void;
};

export type Opened = Target & { readonly webhook: string | null };

const REFRESH = { forMs: 24 * 3_600_000, everyMs: 2000 };
const noted = (): void => undefined;

/** Runs one drill on an open target and stores everything; judging is a step of its own. */
export const drill = async (settings: DrillSettings, target: Opened): Promise<void> => {
  const { scenario, platform, seed, runId, folder, signal, on } = settings;
  const facts: Facts = await target.facts();
  const plotted = plan(scenario, platform, facts, seed, runId);
  on.plan(plotted);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, FILES.plan), `${JSON.stringify(plotted, null, 2)}\n`);
  await using history = await openHistory(join(folder, FILES.history), on.entry);
  await history.append({ type: 'begun', pid: process.pid });
  // What can't be stored can't be judged: the run ends, and heals first.
  const unstored = new AbortController();
  const ledger = writeLedger(join(folder, FILES.ledger), (error) => unstored.abort(error));
  // There from the start: a run that is stopped before its first look is stored whole, and judged as what it is.
  await writeFile(join(folder, FILES.evidence), '');
  await using ready = await makeReady(target, plotted, folder, signal).catch(async (error: unknown) => {
    await ledger.end();
    if (!(signal.aborted || error instanceof Unreachable)) throw error;
    await history.append({ type: 'aborted', why: oneLine(signal.aborted ? signal.reason : error) });
    await history.append({ type: 'ended' });
    return null;
  });
  if (!ready) return;
  const { capture, traffic } = ready;
  const startAt = systemClock.now() + fromMs(traffic.leadMs);
  await using watching = await watch(settings, plotted, facts, target, capture, startAt);
  watching.looking.catch((error: unknown) => unstored.abort(error));
  const stopped = AbortSignal.any([signal, unstored.signal]);
  const baseline = phaseWindow(plotted, { start: startAt }, 'baseline');
  const steady = steadiness(baseline, plotted.steadyState, seed);
  const onRecord = (record: LedgerRecord): void => {
    ledger.add(record);
    steady.add(record);
    on.record(record);
  };
  const guard =
    plotted.abortIf && guardOf(plotted.abortIf, { ...target.endpoints, ...settings.backends }, platform, systemClock);
  let ended = false;
  try {
    ended = await run({
      plan: plotted,
      target,
      facts,
      traffic,
      history,
      onRecord,
      signal: stopped,
      startAt,
      unsteady: steady.unsteady,
      ...(guard ? { guard } : {}),
    });
  } finally {
    await ledger.end();
    // Nothing in here may hide that the run left something broken.
    const lost = (error: unknown): void => unstored.abort(error);
    if (!stopped.aborted) await watching.finish(ended).catch(lost);
    const counts = await capture.stop();
    if (counts) await history.append({ type: 'capture', ...counts }).catch(lost);
  }
  unstored.signal.throwIfAborted();
};

type Ready = AsyncDisposable & { readonly capture: Captured; readonly traffic: Traffic };

/** Whoever captures and whoever sends must be up before there is a start: in a cluster that takes its time. */
const makeReady = async (target: Target, plotted: Plan, folder: string, signal: AbortSignal): Promise<Ready> => {
  await using made = new AsyncDisposableStack();
  const capture = made.use(await captured(target, join(folder, FILES.capture)));
  const traffic = made.use(await target.traffic(trafficOf(plotted, target.clientUrl), signal));
  const kept = made.move();
  return { capture, traffic, [Symbol.asyncDispose]: () => kept.disposeAsync() };
};

type Captured = AsyncDisposable & {
  /** Null: nothing is captured. */
  readonly file: string | null;
  stop(): Promise<{ readonly captured: number; readonly droppedByKernel: number } | null>;
};

/** The target's capture, which is ended once, however often that is asked, and never stands in the way of anything else. */
const captured = async (target: Target, file: string): Promise<Captured> => {
  const capture = await target.capture(file);
  let stopped: ReturnType<Captured['stop']> | null = null;
  const stop = (): ReturnType<Captured['stop']> => {
    stopped ??= capture ? capture.stop().catch(() => null) : Promise.resolve(null);
    return stopped;
  };
  return { file: capture && file, stop, [Symbol.asyncDispose]: async () => void (await stop()) };
};

/** The evidence stage beside the run: a look at every layer every so often, one last look at the whole. */
const watch = async (
  { platform, folder, backends, on }: DrillSettings,
  plotted: Plan,
  facts: Facts,
  target: Opened,
  { file }: Captured,
  startAt: bigint,
) => {
  const endpoints: Endpoints = { ...target.endpoints, ...backends };
  const names = naming(facts.topology.components, () => target.addresses());
  const layers = adapters({ endpoints, webhook: target.webhook, capture: file, naming: names, platform });
  const lateMs = Object.fromEntries(LAYERS.map((layer) => [layer, plotted.deadlines[layer].ms])) as Record<
    LayerName,
    number
  >;
  const gathering = evidence(
    layers,
    questions(plotted.also, endpoints, platform),
    lateMs,
    join(folder, FILES.evidence),
    on.look,
  );
  const ending = new AbortController();
  // Addresses of pods that come up meanwhile must be known when their packets are read.
  const refreshing = during(() => target.pods().then(noted, noted), { ...REFRESH, signal: ending.signal });
  const looking = systemClock
    .sleepUntil(startAt, ending.signal)
    .then(() => gathering.watch(startAt, plotted.lookEvery, ending.signal));
  return {
    /** Rejects when what was seen can't be stored. */
    looking,
    /** Waits for what is still on its way, unless there is nothing to wait for. */
    finish: async (wait: boolean): Promise<void> => {
      if (wait) await systemClock.sleepUntil(startAt + fromMs(phase(plotted, 'gather').until));
      ending.abort();
      await looking;
      await gathering.gather();
    },
    [Symbol.asyncDispose]: async (): Promise<void> => {
      ending.abort();
      await Promise.allSettled([looking, refreshing]);
      for (const layer of layers) await layer[Symbol.asyncDispose]();
    },
  };
};

/** `reports/killed-order-service/2026-11-21T07-19-58Z`: where a run's files go. */
export const folderFor = (out: string, name: string): string =>
  join(
    out,
    slug(name),
    iso(systemClock.now())
      .replace(/\.\d+Z$/, 'Z')
      .replaceAll(':', '-'),
  );

export const slug = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60);
