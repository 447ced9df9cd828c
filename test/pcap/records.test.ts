import { describe, expect, test } from '@jest/globals';
import { createRecords, type Stepper } from '../../src/pcap/records.ts';

/** Records that begin with their size as a big-endian 32-bit number; 0 is damage. */
const sized =
  (asked: number[]): Stepper =>
  (bytes, at, end) => {
    asked.push(end - at);
    if (end - at < 4) return -4;
    const size = bytes.readUInt32BE(at);
    if (size === 0) return 'a record without a size';
    return end - at < size ? -size : size;
  };

const record = (size: number): Buffer => {
  const bytes = Buffer.alloc(size);
  bytes.writeUInt32BE(size);
  return bytes;
};

describe('records', () => {
  test('a record that comes byte by byte is looked at three times, however long it is', () => {
    const asked: number[] = [];
    const records = createRecords(sized(asked), () => {});
    const bytes = record(200_000);
    for (let at = 0; at < bytes.length; at += 1) records.push(bytes.subarray(at, at + 1));
    expect(asked).toEqual([1, 4, 200_000]);
    expect(records.state()).toEqual({ offset: 200_000, waiting: 0, corrupt: null });
  });

  test('whole records are read in place', () => {
    const seen: Buffer[] = [];
    const records = createRecords(
      (bytes, at, end) => {
        seen.push(bytes);
        return Math.min(5, end - at);
      },
      () => {},
    );
    const chunk = record(10);
    records.push(chunk);
    expect(seen).toEqual([chunk, chunk]);
    expect(seen.every((bytes) => bytes === chunk)).toBe(true);
  });

  test('damage stops the reading for good and keeps its place', () => {
    const records = createRecords(sized([]), () => {});
    records.push(Buffer.concat([record(9), Buffer.alloc(4), record(9)]));
    records.push(record(9));
    expect(records.state()).toMatchObject({ offset: 9, corrupt: 'a record without a size' });
  });
});
