// Who a request says that it is, and whether it is one of those that are asked for.
import { baggageMember, type Head, type Span } from './http.ts';
import { recalling } from './recall.ts';
import type { Names } from './timings.ts';

/** What is asked for; all that is given must hold. */
export type Tags = { readonly user?: string; readonly session?: string; readonly requestId?: string };

export const isTagged = ({ user, session, requestId }: Tags): boolean =>
  user !== undefined || session !== undefined || requestId !== undefined;

/** A longer name is shown by its beginning. */
const LONGEST = 128;

/** Numbers by `people` whose request this is: x-user-id, else x-username, else the baggage's user.id; null when none says. */
export const userNumbers = (people: Names): ((bytes: Buffer, head: Head) => number | null) => {
  const inHeader = recalling((bytes, from, to) => people.number(bytes.toString('utf8', from, to)));
  return (bytes, head) => {
    const { from, to } = isThere(head.userId) ? head.userId : head.username;
    if (to > 0) return inHeader(bytes, from, Math.min(to, from + LONGEST));
    const user = inBaggage(bytes, head, 'user.id');
    return user === null ? null : people.number(user);
  };
};

/** Tells whether a request's head has the tags asked for: bytes are compared, and no text is made of those that have not. */
export const tagMatcher = ({ user, session, requestId }: Tags): ((bytes: Buffer, head: Head) => boolean) => {
  const [wantedUser, wantedSession, wantedRequest] = [user, session, requestId].map(needle);
  return (bytes, head) =>
    (!wantedRequest || equals(bytes, head.requestId, wantedRequest)) &&
    (!wantedUser || hasUser(bytes, head, user!, wantedUser)) &&
    (!wantedSession || hasSession(bytes, head, session!, wantedSession));
};

const needle = (text: string | undefined): Buffer | undefined => (text === undefined ? undefined : Buffer.from(text));

const hasUser = (bytes: Buffer, head: Head, user: string, wanted: Buffer): boolean => {
  if (isThere(head.userId)) return equals(bytes, head.userId, wanted);
  if (isThere(head.username)) return equals(bytes, head.username, wanted);
  return inBaggage(bytes, head, 'user.id') === user;
};

const hasSession = (bytes: Buffer, head: Head, session: string, wanted: Buffer): boolean =>
  isThere(head.session) ? equals(bytes, head.session, wanted) : inBaggage(bytes, head, 'session.id') === session;

const isThere = ({ to }: Span): boolean => to > 0;

const equals = (bytes: Buffer, { from, to }: Span, wanted: Buffer): boolean =>
  to > 0 && to - from === wanted.length && bytes.compare(wanted, 0, wanted.length, from, to) === 0;

const inBaggage = (bytes: Buffer, { baggage }: Head, key: string): string | null =>
  isThere(baggage) ? baggageMember(bytes.toString('utf8', baggage.from, baggage.to), key) : null;
