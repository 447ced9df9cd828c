// How much memory a traffic client's Node is given for young objects.

/**
 * Node's flags for whatever sends traffic. V8 would take twice the 64 MB that this allows, in which nothing was faster (docs/adr/0016); with
 * half of it, collections come so often that requests leave late.
 */
export const YOUNG = ['--max-semi-space-size=32'] as const;
