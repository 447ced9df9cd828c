// Ctrl-C and SIGTERM: the first one heals and ends; while that goes on, more of them change nothing.

export const stopSignal = (say: (line: string) => void): { readonly signal: AbortSignal } => {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals): void => {
    say(controller.signal.aborted ? 'still healing; please wait' : `${name}: healing, then ending`);
    controller.abort(new Error(`stopped by ${name}`));
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop);
  return controller;
};
