// A container's log, line by line as it is written, over connections that may break.
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { CoreV1Api } from '@kubernetes/client-node';
import type { Nanos } from '../../model.ts';
import { until } from '../../poll.ts';
import { fromIso, iso, SECOND } from '../../time.ts';
import { asked, refusal } from './asked.ts';
import { type At, Refused } from './cluster.ts';
import { mustBeLabel, mustBeSubdomain } from './names.ts';
import type { Wire } from './wire.ts';

const AGAIN_MS = 500;
const LONGEST = 1024 * 1024;

/** See Cluster.follow. Lines that a log rotation takes away while the connection is broken are lost. */
export const followLog = async (
  wire: Wire,
  core: CoreV1Api,
  at: At,
  onLine: (line: string) => void,
  signal: AbortSignal,
  patienceMs: number,
): Promise<void> => {
  mustBeLabel('namespace', at.namespace);
  mustBeSubdomain('pod', at.pod);
  mustBeLabel('container', at.container);
  const seen = memory();
  const take = (line: string): void => {
    const text = seen.fresh(line);
    if (text !== null) onLine(text);
  };
  const open = (id: string | null) => opened(wire, core, at, { id, since: seen.resume() }, signal, patienceMs);
  try {
    for (let id: string | null = null; ; ) {
      const body = await open(id);
      if (body === 'gone') return;
      const [whole, known]: [boolean, string | null] = await Promise.all([read(body, take), id ?? idOf(core, at)]);
      id = known;
      if (whole && !goesOn(await stateOf(core, at), id)) return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
};

type From = { readonly id: string | null; readonly since: Nanos | null };

/** The log from `since` on, or 'gone' when the container that was there before is not there any more. */
const opened = (
  wire: Wire,
  core: CoreV1Api,
  at: At,
  { id, since }: From,
  signal: AbortSignal,
  patienceMs: number,
): Promise<Readable | 'gone'> => {
  const ask = async (): Promise<Readable | 'gone' | Refused> => {
    if (id !== null && isAnother(await stateOf(core, at), id)) return 'gone';
    const answer = await log(wire, at, since, signal);
    if (answer instanceof Refused && answer.status === 404 && since !== null) return 'gone';
    if (answer instanceof Refused && mayPass(answer)) throw answer;
    return answer;
  };
  const says = `log of ${at.namespace}/${at.pod}/${at.container}`;
  return until(says, ask, { forMs: patienceMs, everyMs: AGAIN_MS, signal }).then((answer) => {
    if (answer instanceof Refused) throw answer;
    return answer;
  });
};

/** A container that is being made has no log yet; a server in trouble may be well again. */
const mayPass = ({ status, message }: Refused): boolean =>
  status === 429 ||
  status >= 500 ||
  (status === 400 && /waiting to start|ContainerCreating|PodInitializing/.test(message));

const log = async (wire: Wire, at: At, since: Nanos | null, signal: AbortSignal): Promise<Readable | Refused> => {
  const query = new URLSearchParams({ container: at.container, follow: 'true', timestamps: 'true' });
  if (since !== null) query.set('sinceTime', iso(since));
  const path = `/api/v1/namespaces/${at.namespace}/pods/${at.pod}/log?${query}`;
  const { statusCode, body } = await wire.stream({ method: 'GET', path, signal });
  if (statusCode === 200) return body;
  return refusal(asked('GET', path), statusCode, await body.text(), wire.who);
};

type State = { readonly id: string | null; readonly running: boolean };

/** Who may not ask takes the log's end for the container's; who gets no answer goes on. */
const stateOf = async (core: CoreV1Api, { namespace, pod, container }: At): Promise<State> => {
  try {
    const { status } = await core.readNamespacedPod({ namespace, name: pod });
    const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = status ?? {};
    const all = [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses];
    const one = all.find(({ name }) => name === container);
    return { id: one?.containerID ?? null, running: one?.state?.running !== undefined };
  } catch (error) {
    return { id: null, running: !(error instanceof Refused) };
  }
};

const idOf = async (core: CoreV1Api, at: At): Promise<string | null> => (await stateOf(core, at)).id;

/** A container that was started anew has another id, and a log of its own. */
const isAnother = (now: State, id: string | null): boolean => id !== null && now.id !== null && now.id !== id;
const goesOn = (now: State, id: string | null): boolean => now.running && !isAnother(now, id);

/** Whether it ended as it should; else it broke, and what was left of a line comes again. */
const read = async (body: Readable, take: (line: string) => void): Promise<boolean> => {
  const lines = splitting(take);
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    for (;;) {
      const next = await chunks.next().catch(() => null);
      if (!next) return false;
      if (next.done) {
        lines.end();
        return true;
      }
      lines.add(next.value);
    }
  } finally {
    body.destroy();
  }
};

/** Lines out of chunks that are cut anywhere, also inside of a character. A line beyond 1 MiB is cut off, saying so. */
export const splitting = (take: (line: string) => void) => {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let dropped = 0;
  const put = (text: string): void => {
    const room = Math.max(0, LONGEST - rest.length);
    rest += text.slice(0, room);
    dropped += Math.max(0, text.length - room);
  };
  const flush = (): void => {
    take(dropped > 0 ? `${rest}… (${dropped} characters more were dropped)` : rest);
    rest = '';
    dropped = 0;
  };
  return {
    add: (chunk: Buffer): void => {
      const [first = '', ...others] = decoder.write(chunk).split('\n');
      put(first);
      for (const line of others) {
        flush();
        put(line);
      }
    },
    end: (): void => {
      put(decoder.end());
      if (rest !== '') flush();
    },
  };
};

/**
 * Which lines were there before. A log is taken up again at a whole second, so that the lines of that second come again;
 * they are told by their text, time included, and by how often they were there.
 */
export const memory = () => {
  let second: Nanos | null = null;
  let inSecond = new Map<string, number>();
  let again = new Map<string, number>();
  const remember = (line: string, at: Nanos): void => {
    if (second === null || at >= second + SECOND) {
      second = at - (at % SECOND);
      inSecond = new Map();
    }
    if (at >= second) inSecond.set(line, (inSecond.get(line) ?? 0) + 1);
  };
  return {
    /** Where to take it up again; null: from its beginning. */
    resume: (): Nanos | null => {
      again = new Map(inSecond);
      return second;
    },
    /** The line without its time, or null when it is one of those that come again. */
    fresh: (line: string): string | null => {
      const left = again.get(line) ?? 0;
      if (left > 0) again.set(line, left - 1);
      if (left > 0) return null;
      const end = line.indexOf(' ');
      const at = timeOf(end < 0 ? line : line.slice(0, end));
      if (at === null) return line;
      remember(line, at);
      return end < 0 ? '' : line.slice(end + 1);
    },
  };
};

const timeOf = (text: string): Nanos | null => {
  try {
    return fromIso(text);
  } catch {
    return null;
  }
};
