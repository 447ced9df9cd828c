// The real Loki of the comparison, told to keep the labels as they are pushed, and empty.
import { request } from 'undici';
import { Unreachable } from '../../src/errors.ts';
import { type Real, realLoki } from '../live/real.ts';
import { programFor } from './servers.ts';

/** Loki adds two labels of its own to what is pushed; the lab's store does not. */
const AS_PUSHED = { discover_service_name: [], discover_log_levels: false };

/** A Loki of our own, or the one that LOKI_URL names. Throws Unreachable when that one can't be compared with. */
export const lokiAsPushed = async (): Promise<Real> => {
  const loki = await realLoki(AS_PUSHED, programFor('loki') ?? undefined);
  if (process.env.LOKI_URL) await check(process.env.LOKI_URL);
  return loki;
};

const check = async (url: string): Promise<void> => {
  const config = await text(`${url}/config`);
  if (!/discover_log_levels: false/.test(config) || !/discover_service_name: \[\]/.test(config))
    throw new Unreachable(`${url} adds labels: its limits_config needs ${JSON.stringify(AS_PUSHED)}`);
  if (JSON.parse(await text(`${url}/loki/api/v1/labels?since=24h`)).data)
    throw new Unreachable(`${url} holds lines already; the comparison needs an empty Loki`);
};

const text = async (url: string): Promise<string> => (await request(url)).body.text();

/** Which Loki it is, in its own words. */
export const versionOf = async (url: string): Promise<string> =>
  JSON.parse(await text(`${url}/loki/api/v1/status/buildinfo`)).version;
