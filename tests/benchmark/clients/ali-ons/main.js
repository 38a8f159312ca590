// ali-ons under the contract of all clients here: see tests/benchmark/README.md. Its producer has no oneway messages and
// its consumer is for push only, one message a call, so it neither does the former nor drains.
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
