// The server's terms in people's words: states, types, reasons, operations.

// State → [word, kind of badge, what it means].
export const STATES = {
  PreActive: ["Pre-Active", "info", "It waits, and cannot be used yet."],
  Active: ["Active", "good", "It is in use."],
  Deactivated: ["Deactivated", "dim", "It opens and verifies what it protected before, and protects nothing new."],
  Compromised: ["Compromised", "bad", "Somebody had it who should not have. It opens what it protected, and protects nothing new."],
  Destroyed: ["Destroyed", "dim", "The key itself is gone for ever."],
  Destroyed_Compromised: ["Destroyed, compromised", "bad", "The key itself is gone for ever, and somebody had it who should not have."],
};

export const TYPES = {
  SymmetricKey: "Symmetric key",
  PrivateKey: "Private key",
  PublicKey: "Public key",
  Certificate: "Certificate",
  SecretData: "Secret",
  OpaqueObject: "Opaque object",
  SplitKey: "Part of a key",
  CertificateRequest: "Certificate request",
  PGPKey: "PGP key",
};

// Type of a link → what stands at its other end.
const LINKS = {
  PublicKeyLink: "its public key",
  PrivateKeyLink: "its private key",
  ReplacementObjectLink: "the key that replaced it",
  ReplacedObjectLink: "the key that it replaced",
  DerivationBaseObjectLink: "the key that it was derived from",
  DerivedKeyLink: "a key that was derived from it",
  CertificateLink: "a certificate",
  WrappingKeyLink: "the key that wraps it",
};

export const wordsOfLink = (type) => LINKS[type] ?? type;
export const wordOfState = (state) => STATES[state]?.[0] ?? state;
export const wordOfType = (type) => TYPES[type] ?? type ?? "Key";

// Reason of /objects → [what is the matter, behind which its time may stand, what to do].
export const ATTENTION = {
  pre_active: ["It becomes active", "Nobody can use it before, unless you activate it now."],
  waiting: ["It is not active yet", "Nobody can use it: activate it, or destroy it."],
  deactivates: ["It will be deactivated", "Replace it in time, or set a later date."],
  protect_stops: ["It will protect nothing new", "Replace it in time."],
  limit_near: ["Its usage limit is nearly reached", "Replace it before it is used up."],
  compromised: ["It was reported compromised", "Replace it, encrypt anew what it protected, then destroy it."],
  never_used: ["Nobody has used it since it was made", "Is it needed? Revoke and destroy what is not."],
};

// Reason of a record → why the answer was no.
export const REFUSALS = {
  Item_Not_Found: "there is no such key, or it was not granted to this user",
  Permission_Denied: "the right is missing",
  Wrong_Key_Lifecycle_State: "the key's state or its dates do not allow it",
  Incompatible_Cryptographic_Usage_Mask: "the key is not meant for this use",
  Cryptographic_Failure: "the data do not fit the key, or were changed",
  Object_Destroyed: "the key was destroyed",
  Object_Archived: "the key is archived",
  Usage_Limit_Exceeded: "its usage limit is reached",
  Non_Unique_Name_Attribute: "another key of this owner has the name",
  Object_Already_Exists: "there is an object with this identifier",
  Sensitive: "the key is sensitive: it leaves the server only wrapped",
  Not_Extractable: "the key never leaves the server",
  Missing_Data: "the request lacks something",
  Invalid_Message: "the request was not understood",
  Invalid_Field: "a field of the request makes no sense",
  expired: "the token had expired",
  rate: "too many requests in a second",
  concurrency: "too many requests at once",
};

export const wordOfRefusal = (reason) => (reason ? (REFUSALS[reason] ?? reason.replaceAll("_", " ").toLowerCase()) : "");

// "CreateKeyPair" → "Create key pair".
export function wordsOfOperation(operation) {
  const words = operation.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ").split(" ");
  return words.map((word, index) => (index === 0 || /^[A-Z]{2,}$/.test(word) ? word : word.toLowerCase())).join(" ");
}

// "1 key", "2 keys".
export const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
