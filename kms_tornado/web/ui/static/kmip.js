// KMIP in JSON TTLV: requests from small builders, answers as plain values.
//
//   const made = await perform("Create", enumeration("ObjectType", "SymmetricKey"), structure("Attributes", …));
//   made.UniqueIdentifier
//
// A structure becomes an object {tag: value}; a tag that comes twice has an array. `list(x)` reads either.

import { APIError, describeKMIP, postJSON } from "./api.js";

export const structure = (tag, ...items) => ({ tag, type: "Structure", value: items.filter(Boolean) });
export const text = (tag, value) => ({ tag, type: "TextString", value });
export const enumeration = (tag, value) => ({ tag, type: "Enumeration", value });
export const integer = (tag, value) => ({ tag, type: "Integer", value });
export const boolean = (tag, value) => ({ tag, type: "Boolean", value });
// bytes: a Uint8Array.
export const octets = (tag, bytes) => ({ tag, type: "ByteString", value: toHex(bytes) });
// date: a Date.
export const dateTime = (tag, date) => ({ tag, type: "DateTime", value: date.toISOString().replace(/\.\d+Z$/, "Z") });
export const uid = (value) => text("UniqueIdentifier", value);

// The answer of one operation as a plain value; throws APIError.
export async function perform(operation, ...items) {
  return readNode(await postJSON("kmip_2_1", structure(operation, ...items)));
}

// [{value} or {error}], one for each [operation, ...items], in one message.
export async function performAll(operations, options) {
  const message = structure(
    "RequestMessage",
    structure(
      "RequestHeader",
      structure("ProtocolVersion", integer("ProtocolVersionMajor", 2), integer("ProtocolVersionMinor", 1)),
      enumeration("BatchErrorContinuationOption", "Continue"),
      integer("BatchCount", operations.length),
    ),
    ...operations.map(([operation, ...items]) =>
      structure("BatchItem", enumeration("Operation", operation), structure("RequestPayload", ...items)),
    ),
  );
  const answer = readNode(await postJSON("kmip_2_1", message, options));
  return list(answer.BatchItem).map((item) =>
    item.ResultStatus === "Success"
      ? { value: item.ResponsePayload ?? {} }
      : { error: describeKMIP(200, (item.ResultReason ?? "General_Failure").replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_"), item.ResultMessage ?? "") },
  );
}

export const list = (value) => (value === undefined || value === null ? [] : Array.isArray(value) ? value : [value]);

// The instances of a field that may occur several times, which a bare operation nests in a structure of its own tag
// (docs/dialects.md).
export const unnest = (value, tag) =>
  list(value).flatMap((one) => (typeof one === "object" && (tag in one || Object.keys(one).length === 0) ? list(one[tag]) : [one]));

// A node of an answer as a plain value: bytes as Uint8Array, dates as Date, long numbers as BigInt where they need it.
export function readNode(node) {
  switch (node.type) {
    case undefined:
    case "Structure":
      return readStructure(node.value ?? []);
    case "ByteString":
      return fromHex(node.value);
    case "DateTime":
    case "DateTimeExtended":
      return new Date(node.value);
    case "LongInteger":
    case "BigInteger":
      return readNumber(node.value);
    default:
      return node.value;
  }
}

function readStructure(items) {
  const result = Object.create(null); // no tag is a member that every object has
  for (const item of items) {
    const value = readNode(item);
    if (!(item.tag in result)) result[item.tag] = value;
    else result[item.tag] = [...list(result[item.tag]), value];
  }
  return result;
}

function readNumber(value) {
  if (typeof value === "number") return value;
  let number = BigInt(value);
  if (/^0x[89a-f][0-9a-f]{15}$/i.test(value)) number -= 1n << 64n; // two's complement
  return Number.isSafeInteger(Number(number)) ? Number(number) : number;
}

export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("").toUpperCase();

export function fromHex(digits) {
  if (digits.length % 2 || !/^[0-9a-f]*$/i.test(digits)) throw new APIError(0, "Invalid_Message", "The answer has bytes that are none.");
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) => Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16));
}
