// Prometheus's HTTP API: its envelope, whatever is in it.
import { z } from 'zod';
import { clockTrouble, getJson } from '../../connection.ts';
import type { Access } from '../../credentials.ts';
import { oneLine, Unreachable } from '../../errors.ts';

const envelope = z.object({
  status: z.enum(['success', 'error']),
  data: z.unknown().optional(),
  errorType: z.string().optional(),
  error: z.string().optional(),
  warnings: z.array(z.string()).default([]),
});

/**
 * The `data` of one answer of Prometheus's HTTP API, and what makes it doubtful, a line each: Prometheus's own warnings, and a
 * clock that is off. Throws Unreachable with Prometheus's own error text or with what was there in place of its envelope.
 * Source: prometheus.io/docs/prometheus/latest/querying/api, "Format overview".
 */
export const askPrometheus = async (
  url: string,
  signal: AbortSignal,
  access?: Access,
): Promise<{ data: unknown; doubts: readonly string[] }> => {
  const { status, body, skewMs } = await getJson(url, signal, access);
  const parsed = envelope.safeParse(body);
  if (!parsed.success) throw new Unreachable(`HTTP ${status} with JSON that is not Prometheus's envelope`);
  const { data, warnings, errorType, error } = parsed.data;
  if (parsed.data.status === 'error') throw new Unreachable(`HTTP ${status} ${errorType}: ${oneLine(error ?? '')}`);
  const clock = clockTrouble(skewMs);
  const warned = warnings.map((warning) => `Prometheus warns: ${oneLine(warning)}`);
  return { data, doubts: [...warned, ...(clock ? [clock] : [])] };
};
