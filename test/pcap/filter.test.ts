import { describe, expect, test } from '@jest/globals';
import { Usage } from '../../src/errors.ts';
import { addressText } from '../../src/pcap/address.ts';
import { parseEnd } from '../../src/pcap/filter.ts';

describe('an end of a conversation', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1', null],
    ['10.0.0.255:8080', '10.0.0.255', 8080],
    [':8080', null, 8080],
    ['2001:db8::1', '2001:db8::1', null],
    ['[2001:db8::1]:443', '2001:db8::1', 443],
    ['::', '::', null],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8', null],
    ['::ffff:10.0.0.1', '10.0.0.1', null],
  ])('%s', (text, address, port) => {
    const end = parseEnd(text);
    expect(end.words && addressText(...end.words)).toBe(address);
    expect(end.port).toBe(port);
  });

  test.each(['', 'host', '10.0.0', '10.0.0.256', '10.0.0.1:', ':99999', '1::2::3', '1:2:3', '2001:db8::xyz', '[::1'])(
    'refuses %j with a line that says what to write',
    (text) => {
      expect(() => parseEnd(text)).toThrow(Usage);
      expect(() => parseEnd(text)).toThrow(/write 10\.0\.0\.1/);
    },
  );
});
