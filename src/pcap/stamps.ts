// pcapng's time stamps: 64-bit counts of a unit that every interface chooses for itself.

/** `read` takes a stamp's upper and lower 32 bits and leaves what they mean in `seconds` since the epoch and `nanos`. */
export type Stamps = { seconds: number; nanos: number; read(high: number, low: number): void };

/** if_tsresol is a negative power of ten, or of two when its highest bit is set; if_tsoffset is in seconds. */
export const stamps = (resolution: number, offsetSeconds: bigint): Stamps => {
  if (resolution <= 9) return decimal(10 ** resolution, Number(offsetSeconds));
  const units = resolution & 0x80 ? 2n ** BigInt(resolution & 0x7f) : 10n ** BigInt(resolution);
  return exact(units, Number(offsetSeconds));
};

/** Nanoseconds and coarser. The upper half changes every 2^32 units only: what it comes to is kept. */
const decimal = (perSecond: number, offset: number): Stamps => {
  const nanosPerUnit = 1e9 / perSecond;
  let upper = -1;
  let base = 0;
  let rest = 0;
  return {
    seconds: 0,
    nanos: 0,
    read(high, low) {
      if (high !== upper) {
        upper = high;
        base = Number((BigInt(high) << 32n) / BigInt(perSecond)) + offset;
        rest = Number((BigInt(high) << 32n) % BigInt(perSecond));
      }
      const count = rest + low;
      const whole = Math.floor(count / perSecond);
      this.seconds = base + whole;
      this.nanos = (count - whole * perSecond) * nanosPerUnit;
    },
  };
};

/** Any other unit, by big integers. */
const exact = (units: bigint, offset: number): Stamps => ({
  seconds: 0,
  nanos: 0,
  read(high, low) {
    const count = (BigInt(high) << 32n) | BigInt(low);
    this.seconds = Number(count / units) + offset;
    this.nanos = Number(((count % units) * 1_000_000_000n) / units);
  },
});
