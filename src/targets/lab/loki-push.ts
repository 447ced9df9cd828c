// Log lines on their way to a real Loki, as a log shipper sends them: in batches, tried again while that may help, and
// counted when given up. https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs
import { request } from 'undici';
import { type Access, ANYBODY, hiding } from '../../credentials.ts';
import { oneLine, Unreachable } from '../../errors.ts';
import { until } from '../../poll.ts';
import { after } from '../../time.ts';
import { tally } from './tally.ts';

/** One line and its stream's labels; `at` is nanoseconds since the epoch. */
export type LogLine = {
  readonly stream: Readonly<Record<string, string>>;
  readonly at: string;
  readonly line: string;
};

export type LokiPush = AsyncDisposable & { push(line: LogLine): void };

/** Lines wait at most so long for others to go with them. */
export const PUSH_EVERY_MS = 250;
const BATCH_BYTES = 1024 * 1024;
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
const RETRY = { forMs: 10_000, everyMs: 500 };
const TIMEOUT_MS = 5000;
/** Whoever ends it waits no longer for the last lines. */
const LAST_MS = 3000;

/**
 * Pushes lines to the Loki at base URL `url`, one batch at a time, so that each stream stays in order. A batch that is refused
 * for good (4xx), or for ten seconds (no answer, 429, 5xx), is dropped; so are lines beyond 16 MiB that wait. What is
 * dropped is counted and said. `access`: how that Loki lets us in. Disposing sends what still waits.
 */
export const lokiPush = (url: string, say: (line: string) => void, access: Access = ANYBODY): LokiPush => {
  const waiting: LogLine[] = [];
  const ending = new AbortController();
  const dropped = tally((n, why) => say(`${url} did not get ${n} log line${n === 1 ? '' : 's'}: ${why}`));
  let bytes = 0;
  let shipping: Promise<void> | null = null;

  const take = (): LogLine[] => {
    const batch = waiting.splice(0, firstBatch(waiting));
    bytes -= batch.reduce((sum, { line }) => sum + line.length, 0);
    return batch;
  };
  const ship = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = take();
      await deliver(url, access, batch, ending.signal).catch((error: unknown) =>
        dropped.add(batch.length, ending.signal.aborted ? 'there was no time left to send them' : oneLine(error)),
      );
    }
  };
  const start = (): Promise<void> => {
    shipping ??= ship().finally(() => {
      shipping = null;
    });
    return shipping;
  };
  let cancel: () => void = () => undefined;

  return {
    push: (line) => {
      if (bytes + line.line.length > MAX_WAITING_BYTES) return dropped.add(1, 'too many lines are waiting');
      if (waiting.length === 0 && !shipping) cancel = after(PUSH_EVERY_MS, () => void start());
      waiting.push(line);
      bytes += line.line.length;
    },
    [Symbol.asyncDispose]: async () => {
      cancel();
      const giveUp = after(LAST_MS, () => ending.abort());
      await start();
      giveUp();
      dropped.end();
    },
  };
};

/** How many of the lines go together: as many as fit, and one that does not fit goes alone. */
const firstBatch = (lines: readonly LogLine[]): number => {
  let bytes = 0;
  const end = lines.findIndex(({ line }) => {
    bytes += line.length;
    return bytes > BATCH_BYTES;
  });
  return end < 0 ? lines.length : Math.max(end, 1);
};

const deliver = async (url: string, access: Access, lines: readonly LogLine[], signal: AbortSignal): Promise<void> => {
  const body = pushBody(lines);
  const refusal = await until('pushing them', () => attempt(`${url}/loki/api/v1/push`, access, body, signal), {
    ...RETRY,
    signal,
  });
  if (refusal !== '') throw new Unreachable(refusal);
};

/** The lines in Loki's JSON, a stream for each set of labels. */
export const pushBody = (lines: readonly LogLine[]): string => {
  const streams = Map.groupBy(lines, ({ stream }) => JSON.stringify(stream));
  const all = [...streams.values()].map((own) => ({
    stream: own[0]!.stream,
    values: own.map(({ at, line }) => [at, line]),
  }));
  return JSON.stringify({ streams: all });
};

/** Empty when Loki took it, else its refusal; throws where another attempt may do better. */
const attempt = async (url: string, access: Access, body: string, ending: AbortSignal): Promise<string> => {
  const sent = await access.sent();
  const signal = AbortSignal.any([ending, AbortSignal.timeout(TIMEOUT_MS)]);
  const answer = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...sent.headers },
    body,
    signal,
    ...(access.dispatcher ? { dispatcher: access.dispatcher } : {}),
  });
  const text = await answer.body.text();
  if (answer.statusCode < 300) return '';
  const said = hiding(sent)(oneLine(`HTTP ${answer.statusCode} ${text.slice(0, 200)}`));
  if (answer.statusCode === 429 || answer.statusCode >= 500) throw new Unreachable(said);
  return said;
};
