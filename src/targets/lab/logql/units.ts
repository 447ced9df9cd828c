// Durations and sizes as Go and Loki write them.

const SECONDS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  y: 31_536_000,
};

/** Seconds in `1h30m`, `-1.5s`, `300ms`, `2d`; null when it is no duration (a bare number has no unit: null). */
export const seconds = (text: string): number | null => {
  const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|[smhdwy]))+$/.exec(text);
  if (!match) return null;
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|[smhdwy])/g)];
  const sum = parts.reduce((total, [, number, unit]) => total + Number(number) * SECONDS[unit!]!, 0);
  return match[1] === '-' ? -sum : sum;
};

const PREFIXES = 'kmgtpe';

/** Bytes in `3KB`, `1.5 MiB`, `12B`, `7`; null when it is no size. KB is 1000, KiB is 1024. */
export const bytes = (text: string): number | null => {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([kmgtpe])(i)?b?|b)?$/i.exec(text.trim());
  if (!match) return null;
  const power = match[2] ? PREFIXES.indexOf(match[2].toLowerCase()) + 1 : 0;
  return Number(match[1]) * (match[3] ? 1024 : 1000) ** power;
};
