// Jest reporter: why a test was skipped, and as the last line 'N passed, N failed, N skipped'.
// A skipped test says why in its own name, after ' # '.
export default class ClosingLine {
  onTestFileResult(_test, result) {
    for (const one of result.testResults) {
      if (one.status === 'pending') process.stdout.write(`skipped: ${one.fullName}\n`);
    }
  }

  onRunComplete(_contexts, all) {
    const failed = all.numFailedTests + all.numRuntimeErrorTestSuites;
    const skipped = all.numPendingTests + all.numTodoTests;
    // At exit: Jest's own summary comes after every reporter's last word.
    process.once('exit', () =>
      process.stdout.write(`\n${all.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`),
    );
  }
}
