import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Usage } from '../src/errors.ts';
import { FILES, readRun } from '../src/stored.ts';
import { verdict } from '../src/verdict.ts';
import { store } from './helpers/store.ts';
import { alertOn, injectedAt, planOf, storedRun } from './helpers/tiny.ts';

const plan = planOf(undefined, { expect: { alerts: 'located' } });
const run = storedRun({ plan, alerts: [alertOn('shop', injectedAt(plan) + 2_000_000_000n)] });
const PARTS = [FILES.plan, FILES.history, FILES.ledger, FILES.evidence] as const;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stored-'));
  await store(folder, run);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a stored run', () => {
  test('is read back as it was, and gives the same verdict byte for byte', async () => {
    const read = await readRun(folder);
    expect(read.evidence.looks).toEqual(run.evidence.looks);
    expect(JSON.stringify(verdict(read))).toBe(JSON.stringify(verdict(run)));
    expect(verdict(read).outcome).toBe('pass');
  });

  test('may be gzipped, each file of it', async () => {
    for (const name of PARTS) {
      await writeFile(join(folder, `${name}.gz`), gzipSync(await readFile(join(folder, name))));
      await rm(join(folder, name));
    }
    expect(JSON.stringify(verdict(await readRun(folder)))).toBe(JSON.stringify(verdict(run)));
  });

  test.each(PARTS)('without its %s is refused with the name of what is missing', async (name) => {
    await rm(join(folder, name));
    await expect(readRun(folder)).rejects.toThrow(
      new Usage(`${join(folder, name)} is missing; a run that was stored whole has it`),
    );
  });

  test.each(PARTS)('whose %s is not what it should be is refused with the file, on one line', async (name) => {
    await writeFile(join(folder, name), '{"schema": 1,\n<html>\n');
    const refused = await readRun(folder).catch((error: unknown) => error as Error);
    expect(refused).toBeInstanceOf(Usage);
    expect((refused as Error).message).toMatch(new RegExp(`^${folder}/${name}:.*$`));
  });

  test.each([FILES.history, FILES.ledger, FILES.evidence])(
    'whose %s is damaged in a line is refused with the number of the line',
    async (name) => {
      const lines = (await readFile(join(folder, name), 'utf8')).split('\n');
      await writeFile(join(folder, name), lines.with(2, lines[2]!.slice(0, 20)).join('\n'));
      await expect(readRun(folder)).rejects.toThrow(`${join(folder, name)}:3: `);
    },
  );

  test.each([FILES.history, FILES.ledger, FILES.evidence])(
    'whose %s ends in half a line, as a killed process leaves it, is read up to there',
    async (name) => {
      const text = await readFile(join(folder, name), 'utf8');
      await writeFile(join(folder, name), text.slice(0, -20));
      const shorter = await readRun(folder);
      await writeFile(join(folder, name), text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1));
      const whole = await readRun(folder);
      // A checksum is of the file as it is.
      expect({ ...shorter, ledger: { ...shorter.ledger, sha256: '' } }).toEqual({
        ...whole,
        ledger: { ...whole.ledger, sha256: '' },
      });
    },
  );

  test.each(PARTS)('whose gzipped %s is cut off is refused, not a crash', async (name) => {
    const gz = gzipSync(await readFile(join(folder, name)));
    await rename(join(folder, name), join(folder, `${name}.gz`));
    await writeFile(join(folder, `${name}.gz`), gz.subarray(0, gz.length / 2));
    await expect(readRun(folder)).rejects.toBeInstanceOf(Usage);
  });

  test.each([{ phases: [] }, { profile: null }, { deadlines: {} }, { truth: { on: 1 } }])(
    'whose plan lacks what a verdict needs is refused with the field: %j',
    async (lack) => {
      await writeFile(join(folder, FILES.plan), JSON.stringify({ ...plan, ...lack }));
      await expect(readRun(folder)).rejects.toThrow(new RegExp(`plan\\.json: damaged: ${Object.keys(lack)[0]}`));
    },
  );

  test.each(['null', '{}', '{"schema":2}', '[]'])('of another schema is refused: %s', async (other) => {
    await writeFile(join(folder, FILES.plan), other);
    await expect(readRun(folder)).rejects.toThrow(/plan\.json: schema \w+ is not one that this firedrill reads$/);
  });
});
