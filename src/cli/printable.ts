/** Controls of C0 and C1 but for line feed and tab, and those that turn the direction of a text or are not seen. */
// eslint-disable-next-line no-control-regex -- these are what is looked for
const unprintable =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/**
 * A text of others (of a checkpoint, of an input file, of a server) as it may be shown on a terminal: what would steer the terminal
 * is written out instead. Our own colours are put around it afterwards.
 */
export const printable = (text: string): string =>
  text.replace(unprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
