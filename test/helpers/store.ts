// Writes a stored run into a folder, as a drill does.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FILES } from '../../src/stored.ts';
import { iso } from '../../src/time.ts';
import { toLine } from '../../src/traffic/ledger.ts';
import type { Recorded } from './tiny.ts';

const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? iso(value) : value);
const ndjson = (lines: readonly object[]): string => lines.map((line) => `${JSON.stringify(line, plain)}\n`).join('');

export const store = async (folder: string, { plan, history, records, evidence }: Recorded): Promise<void> => {
  const items = [...evidence.items].flatMap(([layer, some]) => some.map((item) => ({ t: 'item', layer, ...item })));
  const looks = evidence.looks.map((look) => ({ t: 'look', ...look }));
  const gaps = evidence.gaps.map((gap) => ({ t: 'gap', ...gap }));
  const asked = evidence.asked.map((one) => ({ t: 'asked', ...one }));
  const files = {
    [FILES.plan]: JSON.stringify(plan),
    [FILES.history]: ndjson(history),
    [FILES.ledger]: records.map((record) => `${toLine(record)}\n`).join(''),
    [FILES.evidence]: ndjson([...looks, ...gaps, ...asked, ...items]),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
};
