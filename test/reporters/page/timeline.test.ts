import { describe, expect, test } from '@jest/globals';
import { binOf, type Timeline, timelineOf } from '../../../src/reporters/page/timeline.ts';
import { type Stored, verdict } from '../../../src/verdict.ts';
import { aPlan, at, controlPlan, INJECTED, START, stored, wholeHistory } from '../stored.ts';

const of = (run: Stored): Timeline => timelineOf(run, verdict(run).groundTruth);

describe('timeline', () => {
  const timeline = of(stored());

  test('has the phases as they were: the fault from its injection to the healing', () => {
    expect(timeline.bands.map(({ name }) => name)).toEqual([
      'warm-up',
      'baseline',
      'quiet',
      'fault',
      'healing',
      'recovery',
      'gather',
    ]);
    const fault = timeline.bands.find(({ name }) => name === 'fault')!;
    expect(fault.until - fault.from).toBeCloseTo(5);
    expect(timeline.injected).toBe(INJECTED);
  });

  test('bands follow each other without a hole up to the recovery', () => {
    const { bands } = timeline;
    bands.slice(1, -1).forEach((band, n) => {
      expect(band.from).toBe(bands[n]!.until);
    });
  });

  test.each([
    ['a control', stored({ plan: controlPlan })],
    ['a run whose fault was refused', stored({ history: wholeHistory.slice(0, 4) })],
  ])('%s has a hold, no fault', (_, run) => {
    const { bands, injected } = of(run);
    expect(bands.map(({ name }) => name)).toContain('hold');
    expect(bands.map(({ name }) => name)).not.toContain('fault');
    expect(injected).toBeNull();
  });

  test('ten hours have no more bins than ten minutes', () => {
    const phases = aPlan.phases.map((one) => (one.name === 'gather' ? { ...one, until: 36_000_000 } : one));
    const long = of(stored({ plan: { ...aPlan, phases } }));
    expect(long.bins).toBeLessThanOrEqual(600);
    expect(long.bins * long.width).toBeGreaterThanOrEqual(36_000);
  });

  test('an instant outside of the timeline has no bin', () => {
    expect([-1n, 0n, 999_999_999n].map((after) => binOf(timeline, START + after))).toEqual([null, 0, 0]);
    expect(binOf(timeline, at(timeline.bins))).toBeNull();
  });
});
