// The standard words for what goes wrong between two programs: errno names, Node, Go, Java, Envoy, gRPC and DNS.
import type { Parsed } from './fields.ts';

/**
 * How something failed. gone: nobody is there (refused, reset, no route, no such host); timeout: no answer in time;
 * answered: an answer that says it failed; failed: no word about how.
 */
export type Failure = 'gone' | 'timeout' | 'answered' | 'failed';

const GONE =
  /E(?:CONNREFUSED|CONNRESET|HOSTUNREACH|NETUNREACH|NOTFOUND|AI_AGAIN|PIPE|HOSTDOWN)\b|\brefused\b|reset by peer|connection (?:was )?(?:reset|closed|aborted)|socket hang up|other side closed|UND_ERR_SOCKET|no route to host|\bunreachable\b|no such host|NXDOMAIN|name resolution|no (?:ready |healthy )?(?:endpoints|upstream)|broken pipe|server closed|unexpected EOF|code ?= ?Unavailable|\bUNAVAILABLE\b/i;
const TIMEOUT =
  /E(?:SOCKET)?TIMEDOUT\b|\btim(?:ed?|ing)[ -]?out\b|timeout|deadline|UND_ERR_\w+_TIMEOUT|operation was aborted|gave up/i;
const ANSWERED =
  /(?:status|http(?:\/[\d.]+)?|code|answer(?:ed)?|respon(?:ded|se)|returned|got|with)\D{0,12}\b5\d\d\b|\b5\d\d (?:internal|bad gateway|service|gateway|not implemented)|internal server error|bad gateway|code ?= ?Internal/i;
const FAILING = /\b(?:fail(?:ed|ure|ing)?|error|exception|panic|fatal|abort(?:ed)?|unable|cannot|could not|can't)\b/i;
/** It was the one who asked who went away: nothing is wrong with whom we ask. */
const CLIENT_LEFT =
  /\b(?:client|downstream|caller|request) (?:has )?(?:closed|disconnected|aborted|cancell?ed|went away|gone)/i;

const TEXT_KEY =
  /(^|[._])(err|error|errors?\.\w+|exception|reason|cause|detail|details|message|msg|stack|event)([._]|$)/i;
const STATUS_KEY = /(^|[._-])(status|status_?code|http_?status|response_?code|code)$/i;

/** All the prose of a line: its message and whatever its fields say about errors. */
export const prose = ({ message, fields }: Parsed): string => {
  const more = [...fields].filter(([key, value]) => typeof value === 'string' && TEXT_KEY.test(key));
  return [message, ...more.map(([, value]) => value)].join(' ');
};

/** The HTTP status that a field holds, or null. */
export const statusOf = ({ fields }: Parsed): number | null => {
  for (const [key, value] of fields) {
    if (STATUS_KEY.test(key) && Number(value) >= 100 && Number(value) <= 599) return Number(value);
  }
  return null;
};

/** How the line says that something failed; null when it says nothing of the kind. An info line fails only by its status. */
export const failureOf = (parsed: Parsed, text: string): Failure | null => {
  const serverError = (statusOf(parsed) ?? 0) >= 500;
  const complains = parsed.level === 'error' || (parsed.level !== 'info' && said(text));
  if (!complains && !serverError) return null;
  if (CLIENT_LEFT.test(text)) return null;
  if (GONE.test(text)) return 'gone';
  if (ANSWERED.test(text)) return 'answered';
  if (TIMEOUT.test(text)) return 'timeout';
  return serverError ? 'answered' : 'failed';
};

const said = (text: string): boolean => [GONE, ANSWERED, TIMEOUT, FAILING].some((words) => words.test(text));

/** Lines that programs write when they come up. */
export const STARTING =
  /\b(?:listening|server (?:is )?(?:started|running|ready|up)|start(?:ing|ed)? (?:up|server|service|application|process|on|in)|boot(?:ing|ed)?|ready to (?:accept|serve))\b/i;
