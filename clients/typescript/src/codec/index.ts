/**
 * Codecs for keys and values: what C structs of maps are usually made of.
 *
 * @module codec
 */

export { bytes, text } from "./bytes.js";
export { type Codec, decode, encode, type ValueOf } from "./codec.js";
export { array, struct } from "./composite.js";
export { ipv4, ipv6, mac, prefix } from "./network.js";
export {
  be16,
  be32,
  be64,
  bool,
  f32,
  f64,
  i8,
  i16,
  i32,
  i64,
  u8,
  u16,
  u32,
  u64,
} from "./numbers.js";
