import { IpcLauncher } from '../../../../src/adapters/ipc-launcher/ipc-launcher.js';

// Asks for three workers and ends.
await new IpcLauncher().want(3);
process.disconnect();
