// One question to an HTTP API that answers with JSON, and every way in which the answer can be no answer.
import { request } from 'undici';
import { z } from 'zod';
import { oneLine, Unreachable } from '../../errors.ts';

const PATIENCE_MS = 10_000;
const SHOWN = 120;

/** `base` and `path` joined with the parameters; `base` may have a path of its own (a route prefix). */
export const address = (base: string, path: string, params: Readonly<Record<string, string>> = {}): string => {
  const query = new URLSearchParams(params).toString();
  return `${base.replace(/\/+$/, '')}${path}${query ? `?${query}` : ''}`;
};

/**
 * Gets `url` and returns its JSON, whatever the status, as long as it is JSON. Throws Unreachable, in one line, when
 * nobody answers, or when the answer is HTML, half a JSON or another text.
 */
export const getJson = async (url: string, signal: AbortSignal): Promise<{ status: number; body: unknown }> => {
  const { status, text } = await getText(url, signal);
  try {
    return { status, body: JSON.parse(text) };
  } catch {
    throw new Unreachable(`HTTP ${status} with ${describe(text)}`);
  }
};

const getText = async (url: string, signal: AbortSignal): Promise<{ status: number; text: string }> => {
  try {
    const answer = await request(url, { signal, headersTimeout: PATIENCE_MS, bodyTimeout: PATIENCE_MS });
    return { status: answer.statusCode, text: await answer.body.text() };
  } catch (error) {
    throw new Unreachable(`no answer: ${oneLine(error)}`);
  }
};

const describe = (text: string): string => {
  const start = text.trim();
  if (start === '') return 'an empty body instead of JSON';
  if (start.startsWith('<')) return 'HTML instead of JSON';
  const what = start.startsWith('{') || start.startsWith('[') ? 'broken or cut off JSON' : 'a text instead of JSON';
  return `${what}: ${oneLine(start.slice(0, SHOWN))}`;
};

const envelope = z.object({
  status: z.enum(['success', 'error']),
  data: z.unknown().optional(),
  errorType: z.string().optional(),
  error: z.string().optional(),
  warnings: z.array(z.string()).default([]),
});

/**
 * The `data` and `warnings` of one answer of Prometheus's HTTP API. Throws Unreachable with Prometheus's own error text
 * or with what was there in place of its envelope.
 * Source: prometheus.io/docs/prometheus/latest/querying/api, "Format overview".
 */
export const askPrometheus = async (
  url: string,
  signal: AbortSignal,
): Promise<{ data: unknown; warnings: readonly string[] }> => {
  const { status, body } = await getJson(url, signal);
  const parsed = envelope.safeParse(body);
  if (!parsed.success) throw new Unreachable(`HTTP ${status} with JSON that is not Prometheus's envelope`);
  const { data, warnings, errorType, error } = parsed.data;
  if (parsed.data.status === 'error') throw new Unreachable(`HTTP ${status} ${errorType}: ${oneLine(error ?? '')}`);
  return { data, warnings };
};
