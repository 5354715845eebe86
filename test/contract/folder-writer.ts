import { FolderStore } from '../../src/adapters/folder/folder-store.js';

// A process that writes objects until it is killed. Object n has 1 to 200,000 bytes, all equal to n modulo 251; every third is a
// stream, and 'same' is replaced all the time. It prints n when object n was acknowledged. Argument: the store's folder.
const store = await FolderStore.open(process.argv[2] ?? '');
for (let n = 0; ; n++) {
  const bytes = new Uint8Array(1 + ((n * 7919) % 200_000)).fill(n % 251);
  if (n % 3 === 0)
    await store.putStream(
      `w/stream/${n}`,
      (async function* () {
        for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
      })(),
    );
  else await store.create(`w/create/${n}`, bytes);
  await store.put('w/same', bytes);
  process.stdout.write(`${n}\n`);
}
