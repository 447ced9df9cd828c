// The addresses from which a pod's own node talks to it: health checks, and whatever else runs on the node itself.
import { readFile } from 'node:fs/promises';

/** The environment variable with the node's own addresses, from the pod's `status.hostIP`, separated by commas. */
export const NODE_IPS = 'FIREDRILL_NODE_IPS';

/**
 * The kubelet's packets have, by the network plugin, either the node's address or that of the pod's default gateway (the
 * bridge, or the node's end of the pod's cable): both are meant.
 */
export const nodeAddresses = async (): Promise<readonly string[]> => {
  const own = (process.env[NODE_IPS] ?? '').split(',').filter(Boolean);
  const [v4, v6] = await Promise.all(
    ['route', 'ipv6_route'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')),
  );
  return [...new Set([...own, ...gateways(v4!), ...gateways6(v6!)])];
};

/** Default gateways in /proc/net/route: destination, gateway and mask are hexadecimal, in the machine's (little) byte order. */
export const gateways = (table: string): readonly string[] =>
  lines(table)
    .filter(([, destination, gateway, , , , , mask]) => destination === ZERO4 && mask === ZERO4 && gateway !== ZERO4)
    .map(([, , gateway]) => Buffer.from(gateway!, 'hex').reverse().join('.'));

/** Default gateways in /proc/net/ipv6_route: destination, its prefix length, source, its length, gateway, … */
export const gateways6 = (table: string): readonly string[] =>
  lines(table)
    .filter(([destination, length, , , gateway]) => destination === ZERO6 && length === '00' && gateway !== ZERO6)
    .map(([, , , , gateway]) => gateway!.replace(/(....)(?!$)/g, '$1:'));

const ZERO4 = '0'.repeat(8);
const ZERO6 = '0'.repeat(32);
const lines = (table: string): string[][] =>
  table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
