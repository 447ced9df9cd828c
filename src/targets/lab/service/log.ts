// Structured log lines on standard output, in the profile's format and under its field names.
import type { Telemetry } from '../../../platform.ts';
import { type Clock, iso, systemClock } from '../../../time.ts';
import type { Carried } from './carried.ts';

export type Level = 'INFO' | 'WARN' | 'ERROR';
export type LogContext = Readonly<Record<string, string | number | null | undefined>>;
export type Log = (
  level: Level,
  message: string,
  about: Pick<Carried, 'requestId' | 'user'> | null,
  context: LogContext,
) => void;

/** A logger that formats a line and hands it to `write`. Fields without a value are left out. */
export const logger = (
  { format, fields }: Telemetry['logs'],
  service: string,
  write: (line: string) => void,
  clock: Clock = systemClock,
): Log => {
  const line = format === 'json' ? JSON.stringify : logfmt;
  return (level, message, about, context) =>
    write(
      `${line({
        [fields.timestamp]: iso(clock.now()),
        [fields.level]: level,
        [fields.service]: service,
        [fields.requestId]: about?.requestId,
        [fields.username]: about?.user ?? undefined,
        [fields.message]: message,
        ...(format === 'json' ? { [fields.context]: context } : context),
      })}\n`,
    );
};

/** `key=value` pairs; a value with a blank, a quote, an equals sign or a control character is quoted as in JSON. */
export const logfmt = (fields: Readonly<Record<string, unknown>>): string =>
  Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => `${key}=${quoted(String(value))}`)
    .join(' ');

const quoted = (value: string): string => (/^[^\s"=\\\p{Cc}]+$/u.test(value) ? value : JSON.stringify(value));
