// Takes what processor time is left over, at the lowest priority, until it is killed or its parent is gone.
import { setPriority } from 'node:os';

setPriority(19);
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

let x = 1;
function burn() {
  for (const end = performance.now() + 20; performance.now() < end;) x = (x * 16807) % 2147483647;
  setImmediate(burn);
}
burn();
