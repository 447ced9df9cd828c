// Calls from the lab's outer half to its inner half and back, over the pipe that Node keeps between parent and child.
import type { ChildProcess } from 'node:child_process';
import { oneLine, Unreachable } from '../../errors.ts';

type Request = { readonly id: number; readonly method: string; readonly args: readonly unknown[] };
type Message =
  | Request
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failed: string }
  | { readonly event: string; readonly data: unknown };

export type Methods = Readonly<Record<string, (...args: never[]) => unknown>>;
type Result<F> = F extends (...args: never[]) => infer R ? Promise<Awaited<R>> : never;
export type Remote<M extends Methods> = { readonly [K in keyof M]: (...args: Parameters<M[K]>) => Result<M[K]> };

/** Answers calls that arrive at this process; returns the way to send events of its own accord. */
export const answer = (methods: Methods): ((event: string, data: unknown) => void) => {
  const send = (message: Message): void => {
    if (process.connected) process.send?.(message, undefined, {}, () => {});
  };
  process.on('message', async (message: Request) => {
    try {
      const method = methods[message.method] as ((...args: readonly unknown[]) => unknown) | undefined;
      if (!method) throw new Unreachable(`the lab has no method '${message.method}'`);
      send({ id: message.id, result: await method(...message.args) });
    } catch (error) {
      send({ id: message.id, failed: oneLine(error) });
    }
  });
  return (event, data) => send({ event, data });
};

/** Calls to a child that answers; each rejects as Unreachable when the child fails it or ends. */
export const caller = <M extends Methods>(
  child: ChildProcess,
  onEvent: (event: string, data: unknown) => void,
  epitaph: () => string,
): Remote<M> => {
  const open = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let last = 0;
  child.on('message', (message: Message) => {
    if ('event' in message) return onEvent(message.event, message.data);
    const call = open.get(message.id);
    open.delete(message.id);
    if ('failed' in message) call?.reject(new Unreachable(message.failed));
    else call?.resolve('result' in message ? message.result : undefined);
  });
  const fail = (): void => {
    for (const call of open.values()) call.reject(new Unreachable(`the lab ended: ${epitaph() || 'no message'}`));
    open.clear();
  };
  child.once('exit', fail);
  const call = (method: string, args: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (!child.connected) return reject(new Unreachable(`the lab has ended: ${epitaph() || 'no message'}`));
      last += 1;
      open.set(last, { resolve, reject });
      child.send({ id: last, method, args });
    });
  return new Proxy({} as Remote<M>, {
    get: (_target, method: string) => (method === 'then' ? undefined : (...args: unknown[]) => call(method, args)),
  });
};
