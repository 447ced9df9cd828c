import { expect, test } from '@jest/globals';
import { type PlatformProfile, platform } from '../../../src/platform.ts';
import { schemeOf } from '../../../src/targets/kubernetes/backends.ts';

const of = (backends: PlatformProfile['backends']) =>
  platform({ name: 'shop', entry: 'web', components: { web: { endpoints: {} } }, journeys: {}, backends });

test('a Service is spoken to with TLS where the profile names a certificate, an authority or a name for it', () => {
  const named = of({ loki: { caFile: 'ca.pem' }, jaeger: { serverName: 'j' }, prometheus: { bearerTokenEnv: 'T' } });
  expect([schemeOf(named, 'loki'), schemeOf(named, 'jaeger')]).toEqual(['https://', 'https://']);
  expect([schemeOf(named, 'prometheus'), schemeOf(named, 'alertmanager')]).toEqual(['http://', 'http://']);
  expect(schemeOf(named, 'hubble')).toBe('');
});
