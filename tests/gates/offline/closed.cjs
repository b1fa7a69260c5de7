// Closes the network for whatever Node is started with `--require` of this, and says that it did.
const { appendFileSync } = require('fs');

const refuse = () => { throw new Error('the network is closed'); };
require('net').Socket.prototype.connect = refuse;
require('dgram').Socket.prototype.send = refuse;
require('dns').lookup = refuse;

if (process.env.OFFLINE_WITNESS) {
  appendFileSync(process.env.OFFLINE_WITNESS, `${process.argv[1]}\n`);
}
