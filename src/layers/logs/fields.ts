// What a line says, whatever its format: level, message and flat fields of JSON, logfmt or plain text.
import { logfmt } from '../../logfmt.ts';

export type Level = 'error' | 'warn' | 'info';
export type Parsed = {
  /** Null when the line has none. */
  readonly level: Level | null;
  readonly message: string;
  /** Leaves by their dotted path. Empty for plain text. */
  readonly fields: ReadonlyMap<string, string | number>;
};

const LEVEL_KEY = /(^|\.)(level|lvl|severity|severity_?text|log_?level|levelname|@l)$/i;
const MESSAGE_KEY = /^(message|msg|event|text|body|log|@m)$/i;

/** Never throws: what is neither JSON nor logfmt is its own message. */
export const parseLine = (line: string): Parsed => {
  const fields = jsonFields(line) ?? logfmtFields(line);
  if (!fields) return { level: levelInText(line), message: line, fields: new Map() };
  return { level: levelIn(fields), message: messageIn(fields), fields };
};

const jsonFields = (line: string): Map<string, string | number> | null => {
  if (!line.startsWith('{')) return null;
  try {
    return new Map(leaves(JSON.parse(line), ''));
  } catch {
    return null;
  }
};

function* leaves(value: object, path: string): Generator<[string, string | number]> {
  for (const [key, one] of Object.entries(value)) {
    const name = path ? `${path}.${key}` : key;
    if (typeof one === 'object' && one !== null) yield* leaves(one, name);
    else if (one !== null) yield [name, typeof one === 'number' ? one : String(one)];
  }
}

// Prose may hold a stray `a=b`; a logfmt line is mostly pairs.
const logfmtFields = (line: string): Map<string, string | number> | null => {
  const { pairs } = logfmt(line);
  const full = pairs.filter(({ bare }) => !bare);
  if (full.length < 2 || full.length * 2 < pairs.length) return null;
  return new Map(full.map(({ key, value }) => [key, number(value) ?? value]));
};

const number = (text: string): number | null => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : null);

const levelIn = (fields: Parsed['fields']): Level | null => {
  for (const [key, value] of fields) if (LEVEL_KEY.test(key)) return levelOf(value);
  return null;
};

const messageIn = (fields: Parsed['fields']): string => {
  for (const [key, value] of fields) if (MESSAGE_KEY.test(key)) return String(value);
  return '';
};

/** A level's name in any of the usual spellings, or the number that bunyan and pino write (40 warn, 50 error). */
export const levelOf = (value: string | number): Level => {
  if (typeof value === 'number') return value >= 50 ? 'error' : value >= 40 ? 'warn' : 'info';
  if (/^(err|error|fatal|crit|critical|panic|emerg|emergency|alert|severe)$/i.test(value)) return 'error';
  return /^warn(ing)?$/i.test(value) ? 'warn' : 'info';
};

// Near the line's start, where frameworks put it: `2026-11-21 ERROR …`, `[warn] …`, `level=error`, klog's `E1121 07:00:00`.
const levelInText = (line: string): Level | null => {
  const head = line.slice(0, 80);
  const klog = /^([IWEF])\d{4} /.exec(head)?.[1];
  if (klog) return klog === 'I' ? 'info' : klog === 'W' ? 'warn' : 'error';
  const word = /\b(FATAL|CRITICAL|ERROR|SEVERE|PANIC|WARN|WARNING|INFO|DEBUG|TRACE)\b|\[(\w+)\]|\blevel=(\w+)/.exec(
    head,
  );
  const name = word?.[1] ?? word?.[2] ?? word?.[3];
  return name && /^(fatal|crit|error|err|severe|panic|warn|info|debug|trace)/i.test(name) ? levelOf(name) : null;
};
