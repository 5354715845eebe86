import { afterEach, describe, expect, it } from 'vitest';
import { bounds } from '../../src/domain/bounds.js';
import type { LiveChannel, Listener } from '../../src/ports/live-channel.js';

export interface LiveChannelHarness {
  readonly channel: LiveChannel;
  /** The same channel from another process. */
  readonly other: LiveChannel;
  until(what: string, condition: () => boolean | Promise<boolean>): Promise<void>;
  /** Breaks all connections that listen. */
  breakConnections(): Promise<void>;
  /** Another process that listens to the topic, to be killed by `kill -9`. Resolves when it listens. */
  startHangingListener(topic: string): Promise<{ kill(): Promise<void> }>;
  close(): Promise<void>;
}

const deaf = { onMessage: () => undefined, onLost: () => undefined };

export function describeLiveChannel(name: string, open: () => LiveChannelHarness): void {
  describe(`${name} as LiveChannel`, () => {
    let harness: LiveChannelHarness;
    afterEach(() => harness.close());

    const hear = async (topic: string): Promise<{ texts: string[]; lost: unknown[]; listener: Listener }> => {
      const texts: string[] = [];
      const lost: unknown[] = [];
      const listener = await harness.channel.listen(topic, {
        onMessage: (text) => texts.push(text),
        onLost: (error) => lost.push(error),
      });
      return { texts, lost, listener };
    };

    it('brings every message to who listens, in order, and says how many did', async () => {
      const { other, until } = (harness = open());
      const { texts } = await hear('call_1');
      const sent = Array.from({ length: 100 }, (_, at) => `{"n":${at},"text":"ü\\n\n😀"}`);
      expect(await Promise.all(sent.map((text) => other.send('call_1', text)))).toEqual(sent.map(() => 1));
      await until('all have come', () => texts.length === sent.length);
      expect(texts).toEqual(sent);
    });

    it('keeps topics apart and nothing for later', async () => {
      const { channel, other, until } = (harness = open());
      const witness = await hear('call_0');
      expect(await other.send('call_1', 'too early')).toBe(0);
      // In a cluster messages pass from node to node: what is sent behind it comes behind it.
      await other.send('call_0', 'now');
      await until('what came too early has passed', () => witness.texts.length === 1);
      const [first, second] = [await hear('call_1'), await hear('call_2')];
      await channel.send('call_2', 'b');
      await other.send('call_1', 'a');
      await until('both have come', () => first.texts.length + second.texts.length === 2);
      expect(first.texts).toEqual(['a']);
      expect(second.texts).toEqual(['b']);
    });

    it('brings nothing to a listener that was closed', async () => {
      const { other, until } = (harness = open());
      const [first, second] = [await hear('call_1'), await hear('call_2')];
      await first.listener.close();
      await first.listener.close();
      expect(await other.send('call_1', 'x')).toBe(0);
      await other.send('call_2', 'y');
      await until('the other has come', () => second.texts.length === 1);
      expect(first.texts).toEqual([]);
    });

    it('tells every listener once when messages may be lost, and works again after', async () => {
      const { other, until, breakConnections } = (harness = open());
      const [first, second, closed] = [await hear('call_1'), await hear('call_2'), await hear('call_3')];
      await closed.listener.close();
      await breakConnections();
      await until('both are told', () => first.lost.length + second.lost.length === 2);
      expect([...first.lost, ...second.lost, ...closed.lost]).toMatchObject([
        { code: 'queue_unavailable' },
        { code: 'queue_unavailable' },
      ]);
      await first.listener.close();
      const again = await hear('call_1');
      expect(await other.send('call_1', 'back')).toBe(1);
      await until('it has come', () => again.texts.length === 1);
      expect(first.texts).toEqual([]);
    });

    it('says that nobody listens once the connections broke', async () => {
      const { other, until, breakConnections } = (harness = open());
      const { lost } = await hear('call_1');
      await breakConnections();
      await until('it is told', () => lost.length === 1);
      await until('the other knows', async () => (await other.send('call_1', 'x')) === 0);
    });

    it('says that somebody listens for as long as it lasts', async () => {
      const { other, until } = (harness = open());
      const { texts } = await hear('call_1');
      const start = Date.now();
      let sent = 0;
      await until('some seconds have passed', async () => {
        expect(await other.send('call_1', String(sent++))).toBe(1);
        return Date.now() - start > 3000;
      });
      await until('all have come', () => texts.length === sent);
    });

    it('says that nobody listens soon after the process that did was killed', async () => {
      const { other, until, startHangingListener } = (harness = open());
      const listening = await startHangingListener('call_1');
      expect(await other.send('call_1', 'x')).toBe(1);
      await listening.kill();
      await until('nobody listens', async () => (await other.send('call_1', 'x')) === 0);
    });

    it('gives a topic to the next listener, whatever the last one leaves behind', async () => {
      const { channel, other } = (harness = open());
      const { listener } = await hear('call_1');
      const next = await other.listen('call_1', deaf);
      await listener.close();
      expect(await channel.send('call_1', 'x')).toBe(1);
      await next.close();
      expect(await channel.send('call_1', 'x')).toBe(0);
    });

    it('refuses what would make Redis drop a reader', async () => {
      const { channel } = (harness = open());
      await channel.listen('call_1', deaf);
      await expect(channel.send('call_1', 'x'.repeat(bounds.liveMessageBytesMax + 1))).rejects.toThrow();
      expect(await channel.send('call_1', 'x'.repeat(bounds.liveMessageBytesMax))).toBe(1);
    });
  });
}
