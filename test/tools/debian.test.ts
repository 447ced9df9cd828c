import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { binaryPackages } from '../../src/tools/debian.ts';

test('of what apt would fetch, only packages for an architecture are taken', () => {
  // As apt-get 2.6 printed it.
  const uris = [
    "'http://deb.example/pool/m/mustache.js/libjs-mustache_3.0.1-1_all.deb' libjs-mustache_3.0.1-1_all.deb 25916 MD5Sum:94577d",
    "'http://deb.example/pool/c/conntrack_1.4.7-1%2bb2_amd64.deb' conntrack_1%3a1.4.7-1+b2_amd64.deb 35240 MD5Sum:c4ca83",
    "'http://deb.example/pool/libp/libpcap0.8_1.10.3-1_amd64.deb' libpcap0.8_1.10.3-1_amd64.deb 156700 ",
    '',
  ].join('\n');
  expect(binaryPackages(uris)).toEqual(['conntrack:amd64', 'libpcap0.8:amd64']);
});

test('whatever apt prints, names come out whole or not at all', () => {
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9.+-]{1,20}$/);
  const version = fc.stringMatching(/^[0-9][0-9A-Za-z.+~%-]{0,15}$/);
  const line = fc.record({ name, version, arch: fc.constantFrom('amd64', 'arm64', 'all'), noise: fc.string() });
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const text = lines.map(
        (one) => `'http://x/y' ${one.name}_${one.version}_${one.arch}.deb 1 MD5Sum:0\nW: ${one.noise}`,
      );
      const wanted = lines.filter((one) => one.arch !== 'all').map((one) => `${one.name}:${one.arch}`);
      expect(binaryPackages(text.join('\n'))).toEqual(wanted);
    }),
  );
});
