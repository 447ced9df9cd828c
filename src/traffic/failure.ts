// Why a request got no whole answer, in the words that a ledger has.
import { errors } from 'undici';
import { oneLine } from '../errors.ts';
import type { Address } from './connections.ts';

/** An answer that can't be understood, or a request that can't be said; its message is the ledger's word for it. */
export class Malformed extends Error {}

const WORDS: Readonly<Record<string, string>> = {
  UND_ERR_SOCKET: 'connection closed',
  UND_ERR_CONNECT_TIMEOUT: 'connect timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_OVERFLOW: 'response headers too large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'response cut short',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'response too large',
  UND_ERR_INVALID_ARG: 'invalid request',
  UND_ERR_ABORTED: 'aborted',
  UND_ERR_DESTROYED: 'aborted',
  UND_ERR_CLOSED: 'aborted',
};

/** The system's own code (`ECONNREFUSED`, `ECONNRESET`, `ENOTFOUND`), plain words for undici's, or the message. */
export const failure = (error: Error): string => {
  if (error instanceof Malformed) return error.message;
  if (error instanceof errors.HTTPParserError) return 'malformed response';
  const { code } = error as NodeJS.ErrnoException;
  return code ? (WORDS[code] ?? code) : oneLine(error);
};

/** What this machine ran out of: files, ports or memory. The request never left, and the platform has no part in it. */
const OWN_LIMITS = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

export const ownLimit = (error: Error): boolean => OWN_LIMITS.has((error as NodeJS.ErrnoException).code ?? '');

/** Whom a failed connection attempt tried to reach, when the system says so. */
export const triedAddress = (error: Error): Address | null => {
  const first = error instanceof AggregateError ? ((error.errors[0] as unknown) ?? error) : error;
  const { address, port } = first as { address?: string; port?: number };
  return address && port ? { ip: address, port } : null;
};
