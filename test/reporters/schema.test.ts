import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { Ajv2020, type AnySchemaObject } from 'ajv/dist/2020.js';
import { GRADES } from '../../src/expect.ts';
import { LAYERS } from '../../src/model.ts';
import { OUTCOMES, verdict } from '../../src/verdict.ts';
import { controlPlan, stored, wholeHistory } from './stored.ts';

const file = new URL('../../src/verdict.schema.json', import.meta.url);
const schema = JSON.parse(await readFile(file, 'utf8')) as AnySchemaObject;
const validate = new Ajv2020({ strict: true, allErrors: true }).compile(schema);

const window = { from: 0n, until: 1n };
const gaps = [{ layer: 'logs' as const, query: '{}', window, why: 'unreachable', look: 1 }];
/** As it is read back from the file. */
const asFile = (...parts: Parameters<typeof stored>) => JSON.parse(JSON.stringify(verdict(stored(...parts))));
const whole = asFile({ gaps });

/** What the validator says against a value, as `/path keyword`. */
const against = (value: unknown): string[] => {
  validate(value);
  return (validate.errors ?? []).map(({ instancePath, keyword }) => `${instancePath} ${keyword}`);
};

describe('verdict.schema.json', () => {
  test('takes the verdict on a drill with suspects, expectations and gaps', () => {
    expect(whole.layers.traces.suspects).not.toHaveLength(0);
    expect(whole.expectations).not.toHaveLength(0);
    expect(whole.gaps).not.toHaveLength(0);
    expect(against(whole)).toEqual([]);
  });

  test.each([
    ['a control', asFile({ plan: controlPlan })],
    [
      'a run that was never injected',
      asFile({ history: [{ at: wholeHistory[0]!.at, type: 'not-injected', why: 'no' }] }),
    ],
    ['a run without evidence', asFile({ items: new Map() })],
    [
      'a run that is still broken',
      asFile({ history: [...wholeHistory, { at: wholeHistory[0]!.at, type: 'still-broken', why: 'no' }] }),
    ],
  ])('takes the verdict on %s', (_, it) => {
    expect(against(it)).toEqual([]);
  });

  test.each([
    ['a field is missing', { ...whole, because: undefined }, ' required'],
    ['there is a field that nobody knows', { ...whole, mood: 'good' }, ' additionalProperties'],
    ['the outcome is none', { ...whole, outcome: 'passed' }, '/outcome enum'],
    [
      'a time has no nanoseconds',
      { ...whole, groundTruth: { ...whole.groundTruth, from: '2026-11-21T07:00:00Z' } },
      '/groundTruth/from pattern',
    ],
    ['a layer is missing', { ...whole, layers: { ...whole.layers, logs: undefined } }, '/layers required'],
    ['a grade is none', { ...whole, fused: { ...whole.fused, grade: 'seen' } }, '/fused/grade enum'],
    ['the schema is another one', { ...whole, schema: 2 }, '/schema const'],
  ])('refuses a verdict when %s', (_, broken, says) => {
    expect(against(JSON.parse(JSON.stringify(broken)))).toContain(says);
  });

  test('names the very outcomes, grades and layers of the code', () => {
    expect(schema.properties.outcome.enum).toEqual(OUTCOMES);
    expect(schema.$defs.grade.enum).toEqual(GRADES);
    expect(schema.$defs.layerName.enum).toEqual(LAYERS);
    expect(Object.keys(schema.properties.layers.properties)).toEqual(LAYERS);
  });

  test('has the fields of a verdict in its order, all of them required, none else allowed', () => {
    expect(Object.keys(schema.properties)).toEqual(Object.keys(whole));
    for (const one of objectsIn(schema)) {
      expect(one.required).toEqual(Object.keys(one.properties));
      expect(one.additionalProperties).toBe(false);
    }
  });

  test('says of every field what it means', () => {
    for (const one of objectsIn(schema))
      for (const [name, field] of Object.entries<AnySchemaObject>(one.properties))
        expect([name, typeof (field.description ?? field.$ref)]).toEqual([name, 'string']);
  });
});

function* objectsIn(node: unknown): Generator<AnySchemaObject> {
  if (typeof node !== 'object' || node === null) return;
  if ((node as AnySchemaObject).type === 'object') yield node as AnySchemaObject;
  for (const child of Object.values(node)) yield* objectsIn(child);
}
