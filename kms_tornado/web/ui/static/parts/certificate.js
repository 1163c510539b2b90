// Until when a certificate is valid: its Validity (RFC 5280 §4.1.2.5), read out of the DER that the server has.

import { performAll, uid as identifier } from "../kmip.js";

const SEQUENCE = 0x30;
const VERSION = 0xa0;
const UTC_TIME = 0x17;

// Operations of one message: docs/http.md, "Limits".
const MOST = 100;

// {uid: {from, until}} of those certificates that can be read; from, until: Dates.
export async function loadValidities(uids, signal) {
  if (uids.length === 0) return {};
  const some = uids.slice(0, MOST);
  const answers = await performAll(some.map((uid) => ["Get", identifier(uid)]), { signal });
  const read = answers.map(({ value }, index) => [some[index], value && readValidity(value.Certificate?.CertificateValue)]);
  return Object.fromEntries(read.filter(([, validity]) => validity));
}

// null where the bytes are no certificate.
export function readValidity(bytes) {
  try {
    const certificate = readAt(bytes, 0);
    const signed = readAt(bytes, certificate.begin);
    let item = readAt(bytes, signed.begin);
    if (item.type === VERSION) item = readAt(bytes, item.end);
    const algorithm = readAt(bytes, item.end); // behind the serial number
    const issuer = readAt(bytes, algorithm.end);
    const validity = readAt(bytes, issuer.end);
    if ([certificate, signed, algorithm, issuer, validity].some(({ type }) => type !== SEQUENCE)) return null;
    const from = readAt(bytes, validity.begin);
    return { from: readTime(bytes, from), until: readTime(bytes, readAt(bytes, from.end)) };
  } catch {
    return null;
  }
}

// The item at a place: its type, and where its content begins and ends. Throws where it does not fit.
function readAt(bytes, place) {
  let length = bytes[place + 1];
  let begin = place + 2;
  if (length > 0x84 || length === 0x80) throw new RangeError("length");
  if (length > 0x80) {
    const digits = bytes.slice(begin, begin + length - 0x80);
    begin += digits.length;
    length = digits.reduce((sum, digit) => sum * 256 + digit, 0);
  }
  if (!(begin + length <= bytes.length)) throw new RangeError("end");
  return { type: bytes[place], begin, end: begin + length };
}

function readTime(bytes, { type, begin, end }) {
  const digits = String.fromCharCode(...bytes.slice(begin, end));
  const century = type === UTC_TIME ? (digits < "5" ? "20" : "19") : "";
  const [, year, month, day, hour, minute, second] = `${century}${digits}`.match(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/);
  return new Date(Date.UTC(year, month - 1, day, hour, minute, second));
}
