// Files of one JSON value a line, written as a run goes and read back without ever being whole in memory.
import { createReadStream } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';

const CHUNK = 1 << 20;
/** No record comes near it: what is longer is given as it is, before all of it is in memory. */
const LONGEST = 1 << 24;

/**
 * The lines of a file, or of its gzipped form, in batches as they are read. Half a line at the end is what a killed process had
 * begun to write, and no line. `onBytes` is given the text's bytes.
 */
export async function* linesOf(
  file: string,
  onBytes: (bytes: Buffer) => void = () => undefined,
): AsyncGenerator<readonly string[]> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const bytes of bytesOf(file)) {
    onBytes(bytes);
    const lines = (rest + decoder.write(bytes)).split('\n');
    rest = lines.pop()!;
    yield lines;
    if (rest.length > LONGEST) yield [rest];
  }
  if (isJson(rest)) yield [rest];
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

const bytesOf = (file: string): AsyncIterable<Buffer> => {
  const raw = createReadStream(file, { highWaterMark: CHUNK });
  if (!file.endsWith('.gz')) return raw;
  const input = raw.pipe(createGunzip({ chunkSize: CHUNK }));
  raw.on('error', (error) => input.destroy(error));
  return input;
};
