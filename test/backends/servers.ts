// The real servers that the lab's own stores are compared with: those that the environment names, else the rig's.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Real, realJaeger, realLoki } from '../live/real.ts';

export type Backend = 'jaeger' | 'loki';

type Known = {
  /** Variables that name servers, all of them needed, and the variable that names a program to start. */
  readonly urls: readonly string[];
  readonly program: string;
  readonly start: () => Promise<Real>;
  /** The Go module whose version is the server's. */
  readonly module: string;
};

const { env } = process;
const KNOWN: Readonly<Record<Backend, Known>> = {
  jaeger: {
    urls: ['JAEGER_URL', 'OTLP_URL'],
    program: 'FIREDRILL_JAEGER',
    start: realJaeger,
    module: 'github.com/jaegertracing/jaeger',
  },
  loki: {
    urls: ['LOKI_URL'],
    program: 'FIREDRILL_LOKI',
    start: () => realLoki(),
    module: 'github.com/grafana/loki/v3',
  },
};

const BESIDE = '../shared/rig/backends';
const rig = fileURLToPath(new URL(`../../${BESIDE}`, import.meta.url));
const built = (backend: Backend): string => join(env.RIG_BIN ?? join(homedir(), '.cache/firedrill-rig/bin'), backend);

const named = ({ urls, program }: Known): boolean => urls.every((one) => env[one]) || Boolean(env[program]);
const rigReady = (): boolean => existsSync(rig) && existsSync(built('jaeger')) && existsSync(built('loki'));

/** Why the backend can't be had, or null. */
export const missing = (backend: Backend): string | null => {
  const known = KNOWN[backend];
  if (named(known) || rigReady()) return null;
  return `needs ${known.urls.join(' and ')}, or ${known.program} (a program), in the environment, or ${BESIDE} with what it builds`;
};

/** The program to start for a server of a suite's own; null when only a URL is known, or nothing. */
export const programFor = (backend: Backend): string | null =>
  env[KNOWN[backend].program] || (rigReady() ? built(backend) : null);

/**
 * The backend on base URLs by option's name, `{ jaeger, otlp }` or `{ loki }`; what was started here goes with the scope.
 * The rig's programs are started on free ports of their own: as the rig starts it, Jaeger stores spans about our queries.
 */
export const real = (backend: Backend): Promise<Real> => {
  const known = KNOWN[backend];
  if (!named(known)) env[known.program] = built(backend);
  return known.start();
};

/** The module and version that a server's program was built from, from Go's own record in it; null when only a URL is known. */
export const builtFrom = async (backend: Backend): Promise<string | null> => {
  const { module, urls, program } = KNOWN[backend];
  if (urls.every((one) => env[one])) return null;
  const record = new RegExp(`${module}\\t(v[0-9][^\\t\\n]*)`);
  const bytes = await readFile(env[program] || built(backend), 'latin1');
  const version = record.exec(bytes)?.[1];
  return version ? `${module} ${version}` : null;
};
