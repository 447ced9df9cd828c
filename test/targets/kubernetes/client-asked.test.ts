import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { asked, isTouch, phrase, refusal, words } from '../../../src/targets/kubernetes/asked.ts';
import { mustBeLabel, mustBeSubdomain } from '../../../src/targets/kubernetes/names.ts';

const what = (method: string, path: string): unknown => {
  const { verb, group, resource, namespace, name } = asked(method, path);
  return [verb, group, resource, namespace, name];
};

describe('what a request asks for', () => {
  test.each([
    ['GET', '/api/v1/pods?limit=5', ['list', '', 'pods', null, null]],
    ['GET', '/api/v1/namespaces/shop/pods', ['list', '', 'pods', 'shop', null]],
    ['GET', '/api/v1/namespaces/shop/pods/a-1', ['get', '', 'pods', 'shop', 'a-1']],
    ['DELETE', '/api/v1/namespaces/shop/pods/a-1?gracePeriodSeconds=0', ['delete', '', 'pods', 'shop', 'a-1']],
    ['POST', '/api/v1/namespaces/shop/pods/a-1/eviction', ['create', '', 'pods/eviction', 'shop', 'a-1']],
    [
      'PATCH',
      '/api/v1/namespaces/shop/pods/a-1/ephemeralcontainers',
      ['patch', '', 'pods/ephemeralcontainers', 'shop', 'a-1'],
    ],
    [
      'PUT',
      '/apis/coordination.k8s.io/v1/namespaces/shop/leases/l',
      ['update', 'coordination.k8s.io', 'leases', 'shop', 'l'],
    ],
    ['DELETE', '/apis/batch/v1/namespaces/shop/jobs?labelSelector=a', ['delete', 'batch', 'jobs', 'shop', null]],
    ['GET', '/api/v1/namespaces', ['list', '', 'namespaces', null, null]],
    ['DELETE', '/api/v1/namespaces/shop', ['delete', '', 'namespaces', null, 'shop']],
    ['PUT', '/api/v1/namespaces/shop/finalize', ['update', '', 'namespaces/finalize', null, 'shop']],
    ['GET', '/api/v1/nodes/n1', ['get', '', 'nodes', null, 'n1']],
    ['GET', '/version', ['get', '', '/version', null, null]],
    ['GET', '/apis', ['get', '', '/apis', null, null]],
  ])('%s %s', (method, path, expected) => {
    expect(what(method, path)).toEqual(expected);
  });

  test('a dry run and a review change nothing; all else that writes does', () => {
    const touches = (method: string, path: string): boolean => isTouch(asked(method, path));
    expect(touches('GET', '/api/v1/pods')).toBe(false);
    expect(touches('POST', '/api/v1/namespaces/a/pods?dryRun=All')).toBe(false);
    expect(touches('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews')).toBe(false);
    expect(touches('POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/a/roles')).toBe(true);
    expect(touches('POST', '/api/v1/namespaces/a/pods')).toBe(true);
    expect(touches('DELETE', '/api/v1/namespaces/a/pods')).toBe(true);
  });

  test('any path is taken apart without an exception, and put in one line', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z0-9.~-]{0,8}$/)), (parts) => {
        expect(phrase(asked('DELETE', `/api/v1/${parts.join('/')}`))).toMatch(/^delete \S.*$/);
      }),
    );
  });
});

describe('what a refusal says', () => {
  const get = asked('GET', '/api/v1/namespaces/shop/pods');
  test('what was asked, where, and the server’s own message', () => {
    const body = JSON.stringify({ kind: 'Status', message: 'pods is\nforbidden' });
    expect(refusal(get, 403, body, 'context a').message).toBe(
      "kubernetes: can't list pods in namespace shop: pods is forbidden (HTTP 403); firedrill rbac prints the Role that is needed",
    );
  });

  test('whose credentials are not taken', () => {
    expect(refusal(get, 401, '', 'context a of f').message).toContain(
      'does not take the credentials of context a of f',
    );
  });

  test('an HTML page is called one, and other text stays on one short line', () => {
    expect(words('  <!doctype html><html>')).toBe('an HTML page');
    fc.assert(
      fc.property(fc.string(), (text) => {
        const line = words(text);
        expect(line.length).toBeLessThanOrEqual(200);
        expect(line).not.toMatch(/[\r\n]/);
        expect(line).not.toBe('');
      }),
    );
  });
});

describe('names', () => {
  test('whatever is taken as a name stays one part of a path', () => {
    const path = (name: string): string => new URL(`/api/v1/namespaces/a/pods/${name}/exec?x=1`, 'http://s').pathname;
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9./%-]{1,10}$/)), (name) => {
        try {
          mustBeSubdomain('pod', name);
        } catch {
          return;
        }
        expect(path(name)).toBe(`/api/v1/namespaces/a/pods/${name}/exec`);
      }),
    );
  });

  test('labels have no dots and at most 63 characters', () => {
    expect(() => mustBeLabel('namespace', 'a.b')).toThrow("'a.b' is no name of a namespace");
    expect(() => mustBeLabel('namespace', 'a'.repeat(64))).toThrow();
    mustBeLabel('namespace', 'a'.repeat(63));
    mustBeSubdomain('pod', 'a.b-1');
  });
});
