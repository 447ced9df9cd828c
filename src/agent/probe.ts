// One try to reach a URL, from wherever this process runs: `node probe.ts '{"url":…,"tag":…,"timeoutMs":…}'`.
import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { oneLine, Usage } from '../errors.ts';
import { systemClock, toMs } from '../time.ts';

export type ProbeOrder = { readonly url: string; readonly tag: string | null; readonly timeoutMs: number };

/** `refused` is every connection that failed or was cut without an answer; `ms` is the time until that was clear. */
export type ProbeResult = {
  readonly outcome: 'answered' | 'refused' | 'timeout';
  readonly ms: number;
  readonly status: number | null;
};

/** Sends one GET on a connection of its own, with the drill's headers when tagged, and says what became of it. */
export const probe = async ({ url, tag, timeoutMs }: ProbeOrder): Promise<ProbeResult> => {
  const started = systemClock.now();
  const signal = AbortSignal.timeout(timeoutMs);
  const [outcome, status] = await get(url, tag, signal).then(
    (answered) => ['answered', answered] as const,
    () => [signal.aborted ? 'timeout' : 'refused', null] as const,
  );
  return { outcome, ms: toMs(systemClock.now() - started), status };
};

const get = (url: string, tag: string | null, signal: AbortSignal): Promise<number> =>
  new Promise((resolve, reject) => {
    const asking = request(url, { agent: false, headers: tag === null ? {} : tagged(tag), signal }, (response) => {
      response.once('error', reject).once('end', () => resolve(response.statusCode!));
      response.resume();
    });
    asking.once('error', reject).end();
  });

const tagged = (tag: string): Record<string, string> => ({
  'x-firedrill-run': tag,
  'x-correlation-id': `firedrill-${tag}-probe`,
  'x-request-id': randomUUID(),
});

/** Reads an order from JSON; throws Usage, on one line, when it is none. */
export const probeOrder = (text: string | undefined): ProbeOrder => {
  try {
    const { url, tag, timeoutMs } = JSON.parse(text ?? '') as Partial<ProbeOrder>;
    if (!(Number(timeoutMs) > 0)) throw new Usage('timeoutMs is missing');
    return { url: new URL(url ?? '').href, tag: tag ?? null, timeoutMs: Number(timeoutMs) };
  } catch (error) {
    throw new Usage(`usage: node probe.ts '{"url":…,"tag":…,"timeoutMs":…}': ${oneLine(error)}`);
  }
};

const main = async (): Promise<void> => {
  process.stdout.write(`${JSON.stringify(await probe(probeOrder(process.argv[2])))}\n`);
};

if (import.meta.main)
  main().catch((error: unknown) => {
    process.stderr.write(`probe: ${oneLine(error)}\n`);
    process.exitCode = 64;
  });
