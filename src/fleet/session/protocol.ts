/** The version of the session's protocol that is spoken here, and the only one. */
export const PROTOCOL_VERSION = 1;

/** Bytes of a call's messages that may be on their way in each direction. */
export const CALL_CREDIT_BYTES = 256 * 1024;
