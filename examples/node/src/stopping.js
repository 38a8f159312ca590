// Stops a process gracefully when it is told to.

/**
 * Has the first SIGTERM or SIGINT stop the service, and the process end by itself: with 0, or with 1 when stopping fails or takes longer
 * than `deadline` ms. Further signals change nothing until then: orchestrators and impatient people send them.
 */
export function stopOnSignal(stop, deadline, log = console) {
  let isStopping = false;
  const stopOnce = async (signal) => {
    log.log(isStopping ? `${signal}: is stopping already` : `${signal}: stops`);
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => {
      log.error(`has not stopped within ${deadline} ms`);
      process.exit(1);
    }, deadline).unref();
    try {
      const unfinished = await stop();
      for (const { queue, offsets } of unfinished) log.warn(`comes again: ${queue.topic}, queue ${queue.queueId}, ${offsets}`);
      log.log("stopped");
    } catch (error) {
      log.error(error);
      process.exitCode = 1;
    }
  };
  for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, stopOnce);
}
