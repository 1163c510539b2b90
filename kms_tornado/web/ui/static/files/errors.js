/** What goes wrong with files, besides the server. */

/** A file cannot be read or written as its reader wishes. Nothing is left of what was begun. */
export class FileError extends Error {}

/**
 * An encrypted file is not what was once written.
 * fault: "foreign", "later", "cut", "edited" or "key", by which a page chooses its advice.
 */
export class UntrueFile extends FileError {
  constructor(message, fault) {
    super(message);
    this.fault = fault;
  }
}

/** The server does not know the key that a file names, or knows it not for the caller. */
export class UnknownKey extends FileError {}
