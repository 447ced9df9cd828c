// HTTP/2 (and so gRPC) sends frames that neither ask nor answer: acknowledgements, pings, window updates.
import { bigEndian } from '../../pcap/bytes.ts';

const FRAME_HEADER = 9;
/** PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE (RFC 9113, section 6). */
const CONTROL = new Set([2, 3, 4, 6, 7, 8]);
/** SETTINGS, the longest of them in practice, has six bytes a parameter. */
const LONGEST_CONTROL = 256;

/**
 * Whether a segment's payload is whole HTTP/2 control frames and nothing else. No text protocol can be mistaken for it:
 * its first letter would make the frame's length millions of bytes.
 */
export const onlyControl = (payload: Buffer): boolean => {
  let at = 0;
  while (at + FRAME_HEADER <= payload.length) {
    const length = bigEndian.u32(payload, at) >>> 8;
    if (length > LONGEST_CONTROL || !CONTROL.has(payload[at + 3]!)) return false;
    at += FRAME_HEADER + length;
  }
  return at > 0 && at === payload.length;
};
