import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';

/** What a name server says: addresses, that there is no such name, or nothing at all. */
export type DnsAnswer = readonly string[] | 'no such name' | 'silence';

const typeA = 1;
const typeAaaa = 28;

function readName(message: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

const bytes4 = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

function bytes6(address: string): Buffer {
  const [head = '', tail = ''] = address.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [first, last] = [groups(head), groups(tail)];
  const bytes = Buffer.alloc(16);
  [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last].forEach((group, at) =>
    bytes.writeUInt16BE(group, at * 2),
  );
  return bytes;
}

/** The answer to a query with one question. */
function answerTo(query: Buffer, end: number, type: number, answer: Exclude<DnsAnswer, 'silence'>): Buffer {
  const addresses =
    answer === 'no such name'
      ? []
      : answer.filter((address) => (type === typeAaaa && isIPv6(address)) || (type === typeA && !isIPv6(address)));
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(answer === 'no such name' ? 0x8183 : 0x8180, 2);
  header.writeUInt16BE(addresses.length, 6);
  header.fill(0, 8);
  const records = addresses.map((address) => {
    const data = isIPv6(address) ? bytes6(address) : bytes4(address);
    const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length]);
    return Buffer.concat([record, data]);
  });
  return Buffer.concat([header, query.subarray(12, end), ...records]);
}

/** A name server on loopback that gives the answers of a test. */
export class DnsServer {
  /** `ADDRESS:PORT`. */
  readonly address: string;
  /** Names that were asked for, once for each query. */
  readonly asked: string[] = [];
  readonly #socket: Socket;

  private constructor(socket: Socket, answer: (name: string, asked: number) => DnsAnswer) {
    this.#socket = socket;
    const { address, port } = socket.address();
    this.address = `${address}:${port}`;
    socket.on('message', (query, { port: to, address: from }) => {
      const { name, end } = readName(query, 12);
      const type = query.readUInt16BE(end);
      const before = this.asked.filter((other) => other === `${name} ${type}`).length;
      this.asked.push(`${name} ${type}`);
      const said = answer(name, before);
      if (said !== 'silence') socket.send(answerTo(query, end + 4, type, said), to, from);
    });
  }

  /** `answer` gets the name and how often it was asked for before, for the same kind of address. */
  static async start(
    answer: (name: string, asked: number) => DnsAnswer,
    port = 0,
    host = '127.0.0.1',
  ): Promise<DnsServer> {
    const socket = createSocket('udp4');
    socket.bind(port, host);
    await once(socket, 'listening');
    return new DnsServer(socket, answer);
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }
}
