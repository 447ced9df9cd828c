// Loki's push body in JSON: {"streams":[{"stream":{labels},"values":[["<ns>","line",{metadata}]]}]}.
import { z } from 'zod';
import type { Nanos } from '../../model.ts';
import { problems } from '../../platform.ts';
import { BadQuery } from './logql/errors.ts';

type Named = Readonly<Record<string, string>>;
export type Pushed = { readonly labels: Named; readonly at: Nanos; readonly line: string; readonly metadata: Named };

const MAX_LINE = 262_144;
const MAX_LABELS = 15;

const nanos = z.string().regex(/^\d+$/, 'must be nanoseconds as a string');
const value = z.union([z.tuple([nanos, z.string()]), z.tuple([nanos, z.string(), z.record(z.string(), z.string())])]);
const body = z.object({
  streams: z.array(z.object({ stream: z.record(z.string(), z.string()), values: z.array(value) })),
});

/** The lines of a push body. Throws BadQuery with one line when it is no JSON or not of that shape; then none is taken. */
export const pushed = (text: string): Pushed[] => {
  const parsed = body.safeParse(json(text));
  if (!parsed.success) throw new BadQuery(`push: ${problems(parsed.error)}`);
  return parsed.data.streams.flatMap(({ stream, values }) => {
    checkLabels(stream);
    return values.map(([at, line, metadata = {}]) => ({
      labels: stream,
      at: BigInt(at),
      line: checkedLine(line),
      metadata,
    }));
  });
};

const json = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BadQuery(`push: the body is not JSON: ${(error as Error).message}`);
  }
};

const checkLabels = (labels: Readonly<Record<string, string>>): void => {
  const names = Object.keys(labels);
  if (names.length === 0) throw new BadQuery('error at least one label pair is required per stream');
  if (names.length > MAX_LABELS)
    throw new BadQuery(`push: ${names.length} label names; at most ${MAX_LABELS} are taken`);
  const strange = names.find((name) => !/^[A-Za-z_]\w*$/.test(name));
  if (strange !== undefined) throw new BadQuery(`push: '${strange}' is not a label name`);
};

const checkedLine = (line: string): string => {
  if (line.length > MAX_LINE) throw new BadQuery(`push: Max entry size '${MAX_LINE}' bytes exceeded`);
  return line;
};
