// What a pod is told when it starts: by a file, and in a cluster by its environment too.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { oneLine, Usage } from '../../../errors.ts';
import type { ComponentProfile, Platform } from '../../../platform.ts';
import { mapping } from '../../kubernetes/mapping.ts';

export type PodConfig = {
  /** A profile that `platform()` has already checked and completed. */
  readonly platform: Platform;
  readonly service: string;
  readonly pod: string;
  readonly uid: string;
  /** The address to listen on; null: all of its own. */
  readonly ip: string | null;
  readonly port: number;
  readonly seed: number;
  /** Base URL of service discovery; null: components are found by the names of their Services. */
  readonly discovery: string | null;
  /** Base URL of the OTLP/HTTP receiver; spans go to its /v1/traces. */
  readonly otlp: string;
};

type Env = Readonly<Record<string, string | undefined>>;

const TEXTS = ['service', 'pod', 'uid', 'ip', 'discovery', 'otlp'] as const;
const NUMBERS = ['port', 'seed'] as const;

/**
 * Reads and checks the config file. It is a whole configuration, as the lab writes it, or `{ platform }` alone, as a cluster
 * has it: then the environment says the rest, SERVICE, POD_NAME and POD_UID (by the downward API) and
 * OTEL_EXPORTER_OTLP_ENDPOINT. Throws Usage, on one line, when the file can't be read or something is not said.
 */
export const readConfig = async (file: string | undefined, env: Env = process.env): Promise<PodConfig> => {
  if (!file) throw new Usage('usage: node service.ts <config.json>');
  const config = await parse(file);
  const whole = Object.keys(config).join() === 'platform' ? inCluster(file, config.platform!, env) : config;
  const missing = [
    ...TEXTS.filter((key) => whole[key] !== null && typeof whole[key] !== 'string'),
    ...NUMBERS.filter((key) => typeof whole[key] !== 'number'),
  ];
  if (missing.length > 0) throw new Usage(`${file}: lacks ${missing.join(', ')}`);
  if (!whole.platform?.components?.[whole.service!])
    throw new Usage(`${file}: the platform has no component '${whole.service}'`);
  return whole as PodConfig;
};

const inCluster = (file: string, platform: Platform, env: Env): PodConfig => {
  const names = ['SERVICE', 'POD_NAME', 'POD_UID', 'OTEL_EXPORTER_OTLP_ENDPOINT'];
  const [service, pod, uid, otlp] = names.map((name) => env[name] ?? '') as [string, string, string, string];
  const missing = names.filter((name) => !env[name]);
  if (missing.length > 0)
    throw new Usage(`${file} has nothing but the platform, and the environment lacks ${missing.join(', ')}`);
  const known = platform?.components?.[service] ? mapping(platform).components : [];
  const port = known.find(({ name }) => name === service)?.port ?? 0;
  return { platform, service, pod, uid, otlp, port, ip: null, discovery: null, seed: seedOf(uid) };
};

/** Pods of one component must not draw alike. */
const seedOf = (uid: string): number => createHash('sha256').update(uid).digest().readUInt32BE();

const parse = async (file: string): Promise<Partial<PodConfig>> => {
  try {
    return Object(JSON.parse(await readFile(file, 'utf8'))) as Partial<PodConfig>;
  } catch (error) {
    throw new Usage(`${file}: can't be read as JSON: ${oneLine(error)}`);
  }
};

/** The part of the platform that this pod plays. */
export const playedBy = (config: PodConfig): ComponentProfile => config.platform.components[config.service]!;
