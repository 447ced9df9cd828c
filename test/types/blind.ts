// Compiled, never run: each line below is an attempt to cheat, and the compiler must refuse every one of them.
// `npm run types` fails when one of the attempts compiles, because then its directive is unused.
import type { Analyzer, Blind, Item, SpanItem } from '../../src/model.ts';

export const cheat: Analyzer<SpanItem> = (input) => {
  // @ts-expect-error An analyzer's input has no fault.
  const fault = input.fault;
  // @ts-expect-error Nor the ground truth.
  const truth = input.truth;
  // @ts-expect-error Nor the plan, with its timeline and its place.
  const plan = input.plan;
  // @ts-expect-error Nor the time of injection.
  const injected = input.test.injectedAt;
  // @ts-expect-error Nor the history of the run.
  const history = input.history;
  return { suspects: [], why: String([fault, truth, plan, injected, history]) };
};

// @ts-expect-error No second argument can carry the truth in.
export const smuggled: Analyzer<SpanItem> = (input: Blind<SpanItem>, truth: { on: string }) => ({
  suspects: [],
  why: `${input.topology.entry}${truth.on}`,
});

// @ts-expect-error Evidence of one layer is not evidence of another.
export const mixed: Analyzer<SpanItem> = (input: Blind<Item & { readonly dropReason: string }>) => ({
  suspects: [],
  why: String(input.test.items.length),
});
