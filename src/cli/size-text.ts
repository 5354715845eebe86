const units = ['KiB', 'MiB', 'GiB', 'TiB'];

/** A number of bytes for people: 82,606,587,904 → "76.9 GiB". */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes.toLocaleString('en', { maximumFractionDigits: 0 })} bytes`;
  const power = Math.min(units.length, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(1)} ${units[power - 1] ?? ''}`;
}
