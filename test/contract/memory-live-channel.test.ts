import { expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { MemoryLiveChannel } from '../support/memory-live-channel.js';
import { describeLiveChannel } from './live-channel.js';

describeLiveChannel('MemoryLiveChannel', () => {
  const channel = new MemoryLiveChannel();
  return {
    channel,
    other: channel,
    until: (what, condition) => eventually(what, condition),
    breakConnections: () => {
      channel.breakConnections();
      return Promise.resolve();
    },
    startHangingListener: async (topic) => {
      const listener = await channel.listen(topic, { onMessage: () => undefined, onLost: () => undefined });
      return { kill: () => listener.close() };
    },
    close: () => Promise.resolve(),
  };
});

it('MemoryLiveChannel can be away', async () => {
  const channel = new MemoryLiveChannel();
  channel.unavailable = true;
  const handlers = { onMessage: () => undefined, onLost: () => undefined };
  await expect(channel.listen('call_1', handlers)).rejects.toMatchObject({ code: 'queue_unavailable' });
  await expect(channel.send('call_1', 'x')).rejects.toMatchObject({ code: 'queue_unavailable' });
});
