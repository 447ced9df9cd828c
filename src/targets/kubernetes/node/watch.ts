// What a namespace has of one kind, from the API server's watch: all that is there, then what changes.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-watch
import type { Readable } from 'node:stream';
import { oneLine, Unreachable } from '../../../errors.ts';
import { during } from '../../../poll.ts';
import { asked, refusal } from '../asked.ts';
import { splitting } from '../follow.ts';
import type { Wire } from '../wire.ts';

export type Kind = 'pods' | 'services';

export type Watching = {
  readonly wire: Wire;
  readonly namespace: string;
  readonly kind: Kind;
  /** Told of each object when it is there, whenever it changes, and once more when it goes. */
  readonly onObject: (object: object) => void;
  /** Told why a watch broke off; it is taken up again. */
  readonly onTrouble: (why: string) => void;
  readonly signal: AbortSignal;
};

/** The server ends a watch after this time, so that none that silently died is trusted for longer. */
const WATCH_S = 240;
const AGAIN_MS = 1000;
const FOREVER_MS = 100 * 365 * 86_400_000;

/**
 * Watches until the signal aborts. Each watch begins at version 0, which means with all that the server knows to be there:
 * nothing that broke off has to be pieced together, and an expired version (410) can't happen.
 */
export const watchKind = (watching: Watching): Promise<void> =>
  during(() => once(watching).catch((error: unknown) => complain(watching, error)), {
    forMs: FOREVER_MS,
    everyMs: AGAIN_MS,
    signal: watching.signal,
  });

const complain = ({ signal, namespace, kind, onTrouble }: Watching, error: unknown): void => {
  if (!signal.aborted) onTrouble(`watch of ${kind} in ${namespace}: ${oneLine(error)}`);
};

const once = async ({ wire, namespace, kind, onObject, signal }: Watching): Promise<void> => {
  const path = `/api/v1/namespaces/${namespace}/${kind}?watch=true&resourceVersion=0&timeoutSeconds=${WATCH_S}`;
  const { statusCode, body } = await wire.stream({ method: 'GET', path, signal });
  if (statusCode !== 200) throw refusal(asked('GET', path), statusCode, await body.text(), wire.who);
  await read(body, (line) => onObject(objectOf(line)));
};

const read = async (body: Readable, take: (line: string) => void): Promise<void> => {
  const lines = splitting(take);
  for await (const chunk of body as AsyncIterable<Buffer>) lines.add(chunk);
};

type Event = { readonly type?: string; readonly object?: { readonly message?: string } };

const objectOf = (line: string): object => {
  let event: Event | null;
  try {
    event = JSON.parse(line) as Event | null;
  } catch {
    throw new Unreachable(`the server sent no JSON but ${JSON.stringify(line.slice(0, 80))}`);
  }
  if (event?.type === 'ERROR' || !event?.object)
    throw new Unreachable(`the server sent no object: ${event?.object?.message ?? line.slice(0, 80)}`);
  return event.object;
};
