// A delay in this pod: the proxy, and the rules that lead to it. It ends when told to, at its deadline and at any failure.
import { oneLine, Unreachable } from '../errors.ts';
import { during, until } from '../poll.ts';
import { systemClock, toMs } from '../time.ts';
import { ask, type Control, control } from './control.ts';
import { type DelayProxy, startDelayProxy } from './delay-proxy.ts';
import { nodeAddresses } from './node-addresses.ts';
import { DELAY, type DelayHereOrder, endOf, type Told } from './orders.ts';
import { absent, beat, HELD_SECONDS, loosened, members, nft, rules, type Who } from './redirect.ts';

const BEAT_MS = 2000;

/**
 * Delays until `stop` aborts or its deadline; resolves once everything is undone. `say` hears `ready` when it is in force.
 * Throws Unreachable when another delay is in force in this pod, or when the kernel does not take the rules.
 */
export const delayHere = async (
  order: DelayHereOrder,
  stop: AbortSignal,
  say: (line: string) => void,
): Promise<void> => {
  const told = new AbortController();
  const forMs = toMs(endOf(order) - systemClock.now());
  if (forMs <= 0) throw new Unreachable(`the deadline ${order.until} has passed`);
  const ready = Promise.withResolvers<void>();
  const undone = Promise.withResolvers<void>();
  for (const { promise } of [ready, undone]) promise.catch(() => undefined);
  await using _lock = await locked(order, async (words) => {
    if (words.do === 'renew') await nft(members(order.ip, await complete(words.who)));
    if (words.do === 'ready') await ready.promise;
    if (words.do !== 'stop') return;
    told.abort();
    await undone.promise;
  });
  const proxy = await startDelayProxy(proxyOrder(order, forMs));
  try {
    const redirect = { ip: order.ip, port: order.port, to: proxy.port };
    await nft(rules(redirect, await complete(order.who)));
    say('ready');
    ready.resolve();
    await beating(order, forMs, AbortSignal.any([stop, told.signal]));
  } catch (error) {
    ready.reject(error);
    throw error;
  } finally {
    await lift(order.ip, proxy).then(undone.resolve, (error: unknown) => {
      undone.reject(error);
      throw error;
    });
    say(`undone: ${proxy.counts.delayed} of ${proxy.counts.relayed} requests were delayed`);
  }
};

/** The node's own requests, health checks among them, are never delayed. */
const complete = async (who: Who): Promise<Who> =>
  'only' in who ? who : { except: [...who.except, ...(await nodeAddresses())] };

const proxyOrder = ({ ip, port, addMs, jitterMs, tag, seed }: DelayHereOrder, forMs: number) => ({
  listen: { host: ip.includes(':') ? '::' : '0.0.0.0', port: 0 },
  to: { host: ip, port },
  addMs,
  jitterMs,
  tag,
  seed,
  forMs,
});

const beating = ({ ip, port }: DelayHereOrder, forMs: number, signal: AbortSignal): Promise<void> =>
  during(
    () =>
      until('renewing the rules', () => nft(beat(ip, port)).then(() => true), {
        forMs: (HELD_SECONDS * 1000) / 2,
        everyMs: 500,
      }).then(() => undefined),
    { forMs, everyMs: BEAT_MS, signal },
  );

/** Connections that go through the proxy are finished before the rules that carry them go. */
const lift = async (ip: string, proxy: DelayProxy): Promise<void> => {
  await nft(loosened(ip)).catch(() => undefined);
  await proxy.stop();
  await until('removing the rules', () => nft(absent(ip)).then(() => true), { forMs: 10_000, everyMs: 250 });
};

const locked = async ({ run, act }: DelayHereOrder, answer: (words: Told) => Promise<void>): Promise<Control> => {
  try {
    return await control(DELAY, async (question) => {
      const words = question as Told | { readonly do: 'who' };
      if (words.do === 'who') return run;
      if (words.act !== act) throw new Unreachable(`the delay in force in this pod is another one, of run ${run}`);
      return answer(words);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    const whose = await ask(DELAY, { do: 'who' }).catch((failed: unknown) => ({ answer: oneLine(failed) }));
    throw new Unreachable(`this pod is already delayed, by run ${whose?.answer ?? 'unknown'}`);
  }
};
