// What a pod is told when it starts.
import { readFile } from 'node:fs/promises';
import { oneLine, Usage } from '../../../errors.ts';
import type { ComponentProfile, Platform } from '../../../platform.ts';

export type PodConfig = {
  /** A profile that `platform()` has already checked and completed. */
  readonly platform: Platform;
  readonly service: string;
  readonly pod: string;
  readonly uid: string;
  readonly ip: string;
  readonly port: number;
  readonly seed: number;
  /** Base URL of service discovery. */
  readonly discovery: string;
  /** Base URL of the OTLP/HTTP receiver; spans go to its /v1/traces. */
  readonly otlp: string;
};

const TEXTS = ['service', 'pod', 'uid', 'ip', 'discovery', 'otlp'] as const;
const NUMBERS = ['port', 'seed'] as const;

/** Reads and checks the config file. Throws Usage, on one line, when it can't be read or lacks something. */
export const readConfig = async (file: string | undefined): Promise<PodConfig> => {
  if (!file) throw new Usage('usage: node service.ts <config.json>');
  const config = await parse(file);
  const missing = [
    ...TEXTS.filter((key) => typeof config[key] !== 'string'),
    ...NUMBERS.filter((key) => typeof config[key] !== 'number'),
  ];
  if (missing.length > 0) throw new Usage(`${file}: lacks ${missing.join(', ')}`);
  if (!config.platform?.components?.[config.service!])
    throw new Usage(`${file}: the platform has no component '${config.service}'`);
  return config as PodConfig;
};

const parse = async (file: string): Promise<Partial<PodConfig>> => {
  try {
    return Object(JSON.parse(await readFile(file, 'utf8'))) as Partial<PodConfig>;
  } catch (error) {
    throw new Usage(`${file}: can't be read as JSON: ${oneLine(error)}`);
  }
};

/** The part of the platform that this pod plays. */
export const playedBy = (config: PodConfig): ComponentProfile => config.platform.components[config.service]!;
