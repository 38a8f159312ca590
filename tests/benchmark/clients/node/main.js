// A client for Node under the contract of all clients here: see tests/benchmark/README.md. Which one it is, `client.js` beside this file
// says. They neither send oneway nor drain.
'use strict';

const modes = {
  produce: () => require('./produce').run(),
  consume: () => require('./consume').run(),
  'end-to-end': () => require('./end_to_end').run(),
};

modes[process.argv[2]]().then(
  () => process.exit(0), // timers of the client remain
  error => {
    console.error(error);
    process.exit(1);
  });
