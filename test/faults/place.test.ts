import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Usage } from '../../src/errors.ts';
import { calleeOf, mustExist, placeOf, refOf, serviceOf, vantage } from '../../src/faults/place.ts';
import { ends } from '../../src/model.ts';
import { facts } from '../helpers/tiny.ts';

describe('a place by its author', () => {
  test.each([
    ['shop', 'service:shop'],
    ['service:shop', 'service:shop'],
    ['web->shop', 'edge:web->shop'],
    ['edge:web->shop', 'edge:web->shop'],
  ])('%s is %s', (text, ref) => {
    expect(refOf(text)).toBe(ref);
  });

  test.each(['', '->', 'web->', '->shop', 'web->shop->stock', 'web > shop', 'web shop', 'pod:shop-a', 'web ->shop'])(
    '%j is neither a component nor an edge, and the message shows how both look',
    (text) => {
      expect(() => refOf(text)).toThrow(
        `'${text}' names neither a component (order-service) nor an edge (api-gateway->order-service)`,
      );
    },
  );

  test('any text is a component, an edge or refused as Usage; what is taken is taken again', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z>:-]{0,12}$/)), (text) => {
        try {
          const ref = refOf(text);
          expect(refOf(ref)).toBe(ref);
          expect(serviceOf(ref) ?? ends(ref)).not.toBeNull();
        } catch (error) {
          expect(error).toBeInstanceOf(Usage);
        }
      }),
    );
  });
});

describe('a place on the platform', () => {
  test('must be there; the refusal lists what is', () => {
    expect(() => mustExist('service:shop', facts)).not.toThrow();
    expect(() => mustExist('service:shoes', facts)).toThrow(
      new Usage("platform tiny has no component 'shoes'; it has: web, shop, stock, bank"),
    );
    expect(() => mustExist('edge:shop->web', facts)).toThrow(
      new Usage('platform tiny has no edge shop->web; it has: web->shop, shop->stock, shop->bank'),
    );
  });

  test('is tried from its caller: of an edge the one that it names, of the entry the users', () => {
    expect(vantage('edge:shop->bank', facts)).toBe('shop');
    expect(vantage('service:stock', facts)).toBe('shop');
    expect(vantage('service:web', facts)).toBeNull();
  });

  test('of an edge is its two ends to a target, and its callee is who is knocked at', () => {
    expect(placeOf('edge:shop->bank')).toEqual({ from: 'shop', to: 'bank' });
    expect(placeOf('service:bank')).toEqual({ service: 'bank' });
    expect([calleeOf('edge:shop->bank'), calleeOf('service:bank')]).toEqual(['bank', 'bank']);
  });
});
