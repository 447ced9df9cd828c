import { expect, test } from '@jest/globals';
import { lastErrors } from '../../../src/targets/lab/server.ts';

test.each([
  [
    'the error of a logfmt log',
    'ts=1 level=info msg="fine"\nts=2 level=error msg="Failed to open" err="no \\"space\\" left"\nts=3 level=info msg="See you"',
    'Failed to open: no "space" left',
  ],
  [
    'the errors that led to the last one',
    'level=error msg="loading groups failed" err="bad rule"\nlevel=error msg="Error loading config"',
    'loading groups failed: bad rule; Error loading config',
  ],
  ['a plain line', 'prometheus: error: unknown long flag', 'prometheus: error: unknown long flag'],
  ['a panic before its stack', 'panic: nil map\n\ngoroutine 1 [running]:\nmain.main()', 'panic: nil map'],
  ['the last line when nothing is called an error', 'one\ntwo\n', 'two'],
  ['silence', '', 'no message'],
])('gives %s', (_, log, said) => {
  expect(lastErrors(log)).toBe(said);
});
