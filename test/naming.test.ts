import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Address, naming } from '../src/naming.ts';

const components = ['order', 'order-service', 'web', 'order-service-cache'];
const nobody = new Map<string, Address>();
const names = naming(components, () => nobody);

describe('a name means a component', () => {
  test.each([
    ['order-service', 'order-service'],
    ['order-service.shop.svc.cluster.local', 'order-service'],
    ['order-service:8080', 'order-service'],
    ['http://order-service:8080/orders/1', 'order-service'],
    ['order-service-6d4f-x2x', 'order-service'],
    ['order-service-cache-6d4f-x2x', 'order-service-cache'],
    ['order-6d4f', 'order'],
    ['orders', null],
    ['my-web', null],
    ['', null],
    [null, null],
    [undefined, null],
  ])('%s means %s', (name, component) => {
    expect(names.component(name)).toBe(component);
  });

  test('the longest that fits, in whatever order the components are listed', () => {
    const label = fc.stringMatching(/^[a-z]{1,3}(-[a-z]{1,2})?$/);
    fc.assert(
      fc.property(fc.uniqueArray(label, { minLength: 1 }), label, fc.nat(), (all, suffix, turn) => {
        const turned = [...all.slice(turn % all.length), ...all.slice(0, turn % all.length)];
        const name = `${all[0]}-${suffix}`;
        const found = naming(turned, () => nobody).component(name);
        expect(found).toBe(naming(all, () => nobody).component(name));
        expect(`${name}-`.startsWith(`${found}-`)).toBe(true);
        expect(all.filter((one) => `${name}-`.startsWith(`${one}-`)).every((one) => one.length <= found!.length)).toBe(
          true,
        );
      }),
    );
  });

  test('any text is translated or not known, never an error', () => {
    fc.assert(fc.property(fc.string(), (text) => expect([...components, null]).toContain(names.component(text))));
  });
});

describe('an address', () => {
  const addresses = new Map<string, Address>();
  const living = naming(components, () => addresses);

  test('is known from the moment on when its pod is, also with a port', () => {
    expect(living.component('198.18.1.1')).toBeNull();
    addresses.set('198.18.1.1', { ip: '198.18.1.1', service: 'web', pod: 'web-a' });
    expect(living.component('198.18.1.1')).toBe('web');
    expect(living.component('198.18.1.1:8080')).toBe('web');
    expect(living.address('198.18.1.1')).toEqual({ ip: '198.18.1.1', service: 'web', pod: 'web-a' });
  });

  test('that no pod ever had is the outside', () => {
    expect(living.address('10.0.0.1')).toBeNull();
  });
});
