// What the agent can be told to do: JSON, checked before anything is touched.
import { isIP } from 'node:net';
import { oneLine, Usage } from '../errors.ts';
import type { Nanos } from '../model.ts';
import { fromIso } from '../time.ts';
import type { Who } from './redirect.ts';

/** `until` is an RFC 3339 time; the agent ends by itself then. */
export type StayOrder = { readonly run: string; readonly until: string };

export type DelayHereOrder = StayOrder & {
  /** Names this delay; no other has the same. */
  readonly act: string;
  /** The pod's own address and the port that it serves. */
  readonly ip: string;
  readonly port: number;
  readonly addMs: number;
  readonly jitterMs: number;
  /** Only requests with this drill's tag wait; null: all. */
  readonly tag: string | null;
  readonly seed: number;
  readonly who: Who;
};

/** Said to the agent that delays the same pod; `act` must be its own. */
export type Told =
  | { readonly do: 'ready' | 'stop'; readonly act: string }
  | { readonly do: 'renew'; readonly act: string; readonly who: Who };

/** Names that the agents of a pod answer to. One delay a pod, whichever run's; one onlooker a run. */
export const DELAY = 'firedrill-delay';
export const lookOf = (run: string): string => `firedrill-look-${run}`;

type Fields = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const isText: Check = (it) => typeof it === 'string' && it.length > 0;
const isIp: Check = (it) => typeof it === 'string' && isIP(it) > 0;
const isCount: Check = (it) => typeof it === 'number' && Number.isFinite(it) && it >= 0;
const isPort: Check = (it) => Number.isInteger(it) && (it as number) > 0 && (it as number) < 65_536;
const isTag: Check = (it) => it === null || isText(it);
const areIps: Check = (it) => Array.isArray(it) && it.every(isIp);
const isWho: Check = (it) => {
  const [[key, ips] = [], ...more] = Object.entries(Object(it));
  return more.length === 0 && (key === 'only' || key === 'except') && areIps(ips);
};
const isInstant: Check = (it) => {
  try {
    return typeof it === 'string' && fromIso(it) > 0n;
  } catch {
    return false;
  }
};

const STAY: Readonly<Record<string, Check>> = { run: isText, until: isInstant };
const DELAYING = {
  ...STAY,
  act: isText,
  ip: isIp,
  port: isPort,
  addMs: isCount,
  jitterMs: isCount,
  tag: isTag,
  seed: isCount,
  who: isWho,
};

/** Every reader throws Usage that names what is missing or wrong. */
export const stayOrder = (text: string | undefined): StayOrder => checked(text, STAY);
export const delayOrder = (text: string | undefined): DelayHereOrder => checked(text, DELAYING);
export const runOrder = (text: string | undefined): { readonly run: string } => checked(text, { run: isText });
export const actOrder = (text: string | undefined): { readonly act: string } => checked(text, { act: isText });
export const renewOrder = (text: string | undefined): { readonly act: string; readonly who: Who } =>
  checked(text, { act: isText, who: isWho });

export const endOf = ({ until }: StayOrder): Nanos => fromIso(until);

const checked = <T>(text: string | undefined, checks: Readonly<Record<string, Check>>): T => {
  const fields = parsed(text);
  const wrong = Object.entries(checks).filter(([name, check]) => !check(fields[name]));
  if (wrong.length > 0) throw new Usage(`the order's ${wrong.map(([name]) => name).join(', ')} missing or wrong`);
  return fields as T;
};

const parsed = (text: string | undefined): Fields => {
  try {
    return Object(JSON.parse(text ?? '')) as Fields;
  } catch (error) {
    throw new Usage(`the order is not JSON: ${oneLine(error)}`);
  }
};
