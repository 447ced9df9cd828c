// Stands where a delay proxy would: says that it listens, and stays. `FAIL` as its first argument: it can't.
if (process.argv[2] === 'FAIL') {
  console.error('address in use');
  process.exit(1);
}
console.log('listening');
setInterval(() => undefined, 1000);
